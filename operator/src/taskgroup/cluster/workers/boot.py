"""Starts `celery` with a command line that overrides the app's settings. The pods run this text by `python3 -c`.

Up to Celery 5.6 a setting that the app gives under a prefix (CELERY_..., as Django projects do) overrides the command
line. Therefore the command line is written under that prefix too; later versions do so themselves.

The first process of a container ignores signals for which it has no handler, and Celery sets its handlers only after
the app is imported. Without the handler below, a pod that is stopped before that would run to the end of its grace
period.
"""

import os
import signal
import sys
from typing import Any

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

# These imports take about a second, so the handler is set before them.
from celery import Celery
from celery.__main__ import main
from celery.concurrency.asynpool import AsynPool

from_command_line = Celery.config_from_cmdline
stock_flush = AsynPool.flush


def with_prefix(app: Any, argv: list[str], namespace: str = "celery") -> None:
    """Apply the settings of the command line, without a prefix and under the prefix of the app."""
    from_command_line(app, argv, namespace)
    if app.conf.prefix:
        for name, value in app.loader.cmdline_config_parser(argv, namespace).items():
            app.conf[app.conf._to_keys(name)[0]] = value  # noqa: SLF001


def keep_running(pool: Any) -> None:
    """Replaces `AsynPool.flush`, which the worker calls when it has lost the broker.

    Up to Celery 5.6 it forgets what runs: the worker never notices the ends of these tasks, lists them as active for
    ever, and takes less than it could.
    """
    running = {number: job for number, job in pool._cache.items() if job._accepted}  # noqa: SLF001
    stock_flush(pool)
    pool._cache.update(running)  # noqa: SLF001


if __name__ == "__main__":
    Celery.config_from_cmdline = with_prefix
    AsynPool.flush = keep_running
    sys.argv[0] = "celery"
    main()
