"""A Celery app of tasks so small that only the group around them can be seen: `celery -A demo worker`."""

import time

from celery import Celery

app = Celery("demo")


@app.task(name="numbers.square")
def square(n: int) -> int:
    """The square of n."""
    return n * n


@app.task(name="numbers.add")
def add(x: int, y: int) -> int:
    """The sum."""
    return x + y


@app.task(name="numbers.check")
def check(n: int) -> int:
    """n itself; a negative number is refused, and so is one that ends in 7."""
    if n < 0:
        raise ValueError("a number must not be negative")
    if n % 10 == 7:
        raise LookupError("numbers that end in 7 are not in the table")
    return n


@app.task(name="numbers.sleep")
def sleep(seconds: float) -> float:
    """Take this long, and return it."""
    time.sleep(seconds)
    return seconds
