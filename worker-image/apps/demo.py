"""A Celery app of tasks so small that only the group around them can be seen: `celery -A demo worker`."""

import time
from pathlib import Path

from celery import Celery

app = Celery("demo")
NOTES = Path("/tmp")  # noqa: S108 - the only folder of a pod that can be written


@app.task(name="numbers.square")
def square(number: int) -> int:
    """The square of the number."""
    return number * number


@app.task(name="numbers.square_all")
def square_all(numbers: list[int]) -> list[int]:
    """The square of each number: one call for many of them."""
    return [number * number for number in numbers]


@app.task(name="numbers.add")
def add(x: int, y: int) -> int:
    """The sum."""
    return x + y


@app.task(name="numbers.check")
def check(number: int) -> int:
    """The number itself; a negative one is refused, and so is one that ends in 7."""
    if number < 0:
        raise ValueError("a number must not be negative")
    if number % 10 == 7:
        raise LookupError("numbers that end in 7 are not in the table")
    return number


@app.task(name="notes.write")
def write(name: str, text: str) -> int:
    """Leave a note in this pod; its length."""
    return (NOTES / name).write_text(text)


@app.task(name="notes.read")
def read(name: str) -> str:
    """The note, once somebody has left it."""
    return (NOTES / name).read_text()


@app.task(name="numbers.complain")
def complain(summary: dict[str, object]) -> str:
    """What somebody should hear when the group has failed."""
    return f"{summary['failed']} of {summary['total']} numbers were refused: {summary['failedIndexes']}"


@app.task(name="numbers.explain")
def explain(task_id: str, index: int, error: dict[str, str]) -> str:
    """What somebody should hear of one number that was refused."""
    return f"number {index} was refused, task {task_id}: {error['message']}"


@app.task(name="numbers.sleep")
def sleep(seconds: float) -> float:
    """Take this long, and return it."""
    time.sleep(seconds)
    return seconds
