"""A small app for a worker that runs Celery 5.3."""

# Celery publishes no types.
# mypy: disallow-untyped-decorators=False

import time

from celery import Celery

app = Celery("basic")


@app.task(name="basic.add")
def add(x: int, y: int) -> int:
    """The sum."""
    return x + y


@app.task(name="basic.fail")
def fail(message: str) -> None:
    """Always fails, with the message."""
    raise ValueError(message)


@app.task(name="basic.sleep")
def sleep(seconds: float) -> float:
    """Take this long, and return it."""
    time.sleep(seconds)
    return seconds
