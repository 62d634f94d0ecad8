"""A Celery worker with default settings, without a log line for each task."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.wait import eventually

_TESTS = Path(__file__).parents[1] / "tests"
_NAME = "celery@bench"
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0


class Worker:
    """A running worker. Remote control sets the queues that it consumes."""

    def __init__(self, app: Any, queue: str) -> None:
        self._app = app
        self._queue = queue
        self._control = app.control

    def serve(self, queue: str) -> None:
        """Start to consume this queue too."""
        eventually(lambda: self._control.add_consumer(queue, destination=[_NAME], reply=True, limit=1), _READY_SECONDS)
        # It waits up to a second for a message from its other queues before it reads the new one.
        self._app.send_task("demo.noop", queue=self._queue, ignore_result=True)

    def leave(self, queue: str) -> None:
        """Stop to consume this queue."""
        self._control.cancel_consumer(queue, destination=[_NAME], reply=True, limit=1)


@contextmanager
def stock_worker(app: Any, url: str, queue: str, concurrency: int) -> Iterator[Worker]:
    """Start a prefork worker of the tests' app and wait until it is ready; stop it at the end."""
    command = [sys.executable, "-m", "celery", "-A", "support.celery_app", "worker", "-Q", queue, "-n", _NAME]
    environment = os.environ | {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "PYTHONPATH": str(_TESTS)}
    process = subprocess.Popen(
        [*command, "--concurrency", str(concurrency)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: app.control.ping(destination=[_NAME], limit=1), _READY_SECONDS)
        yield Worker(app, queue)
    finally:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)
