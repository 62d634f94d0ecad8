"""Settings of the example project: no pages, only tasks; a database when DATABASE_HOST names one."""

import os
import secrets

SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(50)
"""Nothing here is signed, so each process may have its own key when none is given."""
DEBUG = False
ALLOWED_HOSTS: list[str] = []
INSTALLED_APPS = ["gallery", "catalogue"]
DATABASES: dict[str, dict[str, object]] = {}
if "DATABASE_HOST" in os.environ:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DATABASE_HOST"],
        "NAME": os.environ.get("DATABASE_NAME", "shop"),
        "USER": os.environ.get("DATABASE_USER", "shop"),
        "PASSWORD": os.environ.get("DATABASE_PASSWORD", ""),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"connect_timeout": 5},
    }
USE_TZ = True
TIME_ZONE = "UTC"
CELERY_TIMEZONE = TIME_ZONE
