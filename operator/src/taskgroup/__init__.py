"""TaskGroup operator: Celery groups as Kubernetes objects."""
