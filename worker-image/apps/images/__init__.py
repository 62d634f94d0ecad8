"""A plain Celery app that works on pictures: `celery -A images worker`."""
