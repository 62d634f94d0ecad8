"""A Django project; importing it loads its Celery app, so that `celery -A shop worker` and shared tasks find it."""

from shop.celery import app as celery_app

__all__ = ["celery_app"]
