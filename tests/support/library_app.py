"""A Celery app as a user writes it, with two libraries that change how tasks are sent and run.

The tests have them beside Celery 5.5 alone.
"""

# These and Celery publish no types.
# mypy: disable-error-code="import-not-found,untyped-decorator"

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery_batches import Batches
from celery_once import AlreadyQueued, QueueOnce

app = Celery("libraries")
app.conf.ONCE = {
    "backend": "celery_once.backends.Redis",
    "settings": {"url": os.environ["CELERY_BROKER_URL"], "default_timeout": 60},
}


@app.task(name="libraries.batch", base=Batches, flush_every=10, flush_interval=1)
def batch(requests: list[Any]) -> None:
    """Let the result of each be how many there are."""
    for request in requests:
        app.backend.mark_as_done(request.id, len(requests), request=request)


@app.task(name="libraries.long_batch", base=Batches, flush_every=1)
def long_batch(requests: list[Any]) -> None:
    """Write each down, and run until the file of the runs has a neighbour named `open`."""
    for request in requests:
        _note(request.id)
    while not Path(os.environ["RUNS_FILE"]).with_name("open").exists():
        time.sleep(0.02)
    for request in requests:
        app.backend.mark_as_done(request.id, None, request=request)


def _note(text: str) -> None:
    with Path(os.environ["RUNS_FILE"]).open("a") as runs:
        runs.write(f"{text}\n")


@app.task(name="libraries.once", base=QueueOnce)
def once(name: str) -> str:
    """Write the name down."""
    _note(name)
    return name


@app.task(name="libraries.echo")
def echo(value: Any) -> Any:
    """Return what came."""
    return value


@app.task(name="libraries.twice")
def twice(name: str) -> str:
    """Send the same task twice, the first time for much later, and say what became of the second one."""
    once.apply_async((name,), countdown=600)
    try:
        once.delay(name)
    except AlreadyQueued:
        return "dropped"
    return "sent"
