"""A Celery app as a user writes it, whose tasks write down each run outside Redis, so that tests can count them."""

# Celery publishes no types, so its decorator hides those of every task.
# mypy: disable-error-code="untyped-decorator"

import os
import time
from pathlib import Path

from celery import Celery, Task
from celery.exceptions import Ignore

app = Celery("outage")


def _note(*words: object) -> None:
    """One line for each run; short appends do not mix."""
    line = " ".join([*map(str, words), f"{time.time():.3f}"])
    with Path(os.environ["RUNS_FILE"]).open("a") as runs:
        runs.write(f"{line}\n")


@app.task(name="outage.work", bind=True)
def work(self: Task, number: int, seconds: float) -> int:
    """Run for that long."""
    _note("work", number, self.request.retries)
    time.sleep(seconds)
    return number


@app.task(name="outage.patient", bind=True, max_retries=None)
def patient(self: Task, number: int, times: int, countdown: float) -> int:
    """Retry that many times with a countdown, then end."""
    _note("patient", number, self.request.retries)
    if self.request.retries < times:
        raise self.retry(countdown=countdown)
    return number


@app.task(name="outage.parent", bind=True)
def parent(self: Task) -> None:
    """Send a task and, when the file of the runs has a neighbour named `go`, another one, which is tried once."""
    work.delay(0, 0)
    # The process has a connection from now on, which breaks when Redis goes.
    _note("parent", self.request.id)
    while not Path(os.environ["RUNS_FILE"]).with_name("go").exists():
        time.sleep(0.02)
    try:
        work.apply_async((1, 0), retry=False)
    except Exception as error:
        _note("unsent", type(error).__name__)
        raise


@app.task(name="outage.silent", bind=True)
def silent(self: Task, number: int) -> None:
    """End without any result."""
    _note("silent", number, self.request.retries)
    raise Ignore
