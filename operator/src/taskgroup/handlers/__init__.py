"""The shell around the core: kopf registrations, the loop per object and its wake-ups."""
