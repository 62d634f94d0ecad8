"""The loop of a TaskGroup: look, decide, do."""
