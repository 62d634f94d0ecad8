"""How completions come back: the result keys that Celery's workers write, read in bulk."""
