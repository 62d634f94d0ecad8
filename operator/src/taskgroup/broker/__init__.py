"""How messages reach stock Celery workers."""
