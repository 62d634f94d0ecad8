"""What a TaskGroup's readers see: phase, counts, conditions and events."""
