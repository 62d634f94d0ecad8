"""Settings of the example project: no database, no pages, only tasks."""

import os
import secrets

SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(50)
"""Nothing here is signed, so each process may have its own key when none is given."""
DEBUG = False
ALLOWED_HOSTS: list[str] = []
INSTALLED_APPS = ["gallery"]
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
TIME_ZONE = "UTC"
CELERY_TIMEZONE = TIME_ZONE
