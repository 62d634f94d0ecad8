"""Starts `celery` so that its command line holds in every app. Read as text and given to the pods' `python3 -c`.

Up to Celery 5.6 a setting that an app gives under a prefix (CELERY_..., as Django projects do) beats the command line.
Here the command line is written under that prefix too; later versions do the same by themselves.

The first process of a container ignores signals that it has no handler for, and Celery sets its own after the app is
imported: a pod that is stopped before that would stay until its grace period is over.
"""

import os
import signal
import sys
from typing import Any

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

# Importing them takes a second in which the handler is needed.
from celery import Celery
from celery.__main__ import main

from_command_line = Celery.config_from_cmdline


def with_prefix(app: Any, argv: list[str], namespace: str = "celery") -> None:
    """Take the settings of the command line, plain and under the app's own prefix."""
    from_command_line(app, argv, namespace)
    if app.conf.prefix:
        for name, value in app.loader.cmdline_config_parser(argv, namespace).items():
            app.conf[app.conf._to_keys(name)[0]] = value  # noqa: SLF001


if __name__ == "__main__":
    Celery.config_from_cmdline = with_prefix
    sys.argv[0] = "celery"
    main()
