"""The app itself; broker and backend come from the environment, as in any deployed app."""

from celery import Celery

app = Celery("images", include=["images.tasks"])
