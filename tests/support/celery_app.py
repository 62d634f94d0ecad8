"""A small Celery app as a user writes it, without any knowledge of TaskGroups. Its URLs come from the environment."""

# Celery publishes no types, so its decorator hides those of every task.
# mypy: disable-error-code="untyped-decorator"

import errno
import os
import time
from typing import Any

import redis
from celery import Celery, Task, chain, chord
from celery.exceptions import Ignore

app = Celery("demo")


def _board() -> redis.Redis:
    return redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])


@app.task(name="demo.echo")
def echo(*args: Any, **kwargs: Any) -> list[Any]:
    """Return the arguments as they were received."""
    return [list(args), kwargs]


@app.task(name="demo.noop")
def noop(*_args: Any) -> None:
    """Do nothing."""


@app.task(name="demo.describe", bind=True)
def describe(self: Task) -> dict[str, Any]:
    """Return parts of the task's request."""
    request = self.request
    return {
        "id": request.id,
        "group": request.group,
        "group_index": request.group_index,
        "root_id": request.root_id,
        "timelimit": request.timelimit,
        "shadow": request.shadow,
        "headers": request.headers,
        "delivery_info": request.delivery_info,
        "retries": request.retries,
    }


@app.task(name="demo.fail")
def fail(*arguments: Any) -> None:
    """Raise ValueError with these arguments."""
    raise ValueError(*arguments)


class TwoArgumentsError(Exception):
    """Cannot be pickled: it is made of two arguments and hands one to its base."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


@app.task(name="demo.odd")
def odd(kind: str) -> None:
    """Raise an exception that says little by its class and arguments alone."""
    if kind == "two":
        raise TwoArgumentsError(404, "gone")
    if kind == "model":
        _refuse_by_model()
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/app/cache")


def _refuse_by_model() -> None:
    """Raise an error of pydantic, which has no arguments. The environments of other Celery versions lack it."""
    from pydantic import BaseModel

    class Picture(BaseModel):
        width: int

    Picture.model_validate({"width": "wide"})


@app.task(name="demo.note")
def note(text: str) -> str:
    """Write `text` to the list `notes`, so that tests see the order and the number of runs."""
    with _board() as board:
        board.rpush("notes", text)
    return text


@app.task(name="demo.refuse", bind=True)
def refuse(self: Task) -> None:
    """Write the id of the task to the list `notes`, then raise."""
    with _board() as board:
        board.rpush("notes", self.request.id)
    raise ValueError("refused")


@app.task(name="demo.gate")
def gate(name: str) -> str:
    """Write `name` to the list `notes`, then wait until the key `open:<name>` exists."""
    with _board() as board:
        board.rpush("notes", name)
        while not board.exists(f"open:{name}"):
            time.sleep(0.02)
    return name


@app.task(name="demo.nap")
def nap(seconds: float) -> None:
    """Take this time, and no processor."""
    time.sleep(seconds)


@app.task(name="demo.slow", rate_limit="1/m")
def slow() -> None:
    """One may run each minute; the others wait for their turn inside the worker."""


@app.task(name="demo.busy")
def busy() -> None:
    """Run until the worker is stopped."""
    while True:
        time.sleep(0.05)


@app.task(name="demo.again", bind=True, max_retries=3)
def again(self: Task) -> int:
    """Retry twice, then return the number of retries."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return int(self.request.retries)


@app.task(name="demo.silent")
def silent() -> None:
    """End without any result."""
    raise Ignore


@app.task(name="demo.replaced", bind=True)
def replaced(self: Task, name: str) -> None:
    """Let two other tasks take the task's place: a gate, then a note."""
    raise self.replace(chain(gate.si(name), note.si("replaced")))


@app.task(name="demo.fanned", bind=True)
def fanned(self: Task, names: list[str]) -> None:
    """Let a chord take the task's place: a gate of each name, then a note."""
    raise self.replace(chord([gate.si(name) for name in names], note.si("fanned")))


@app.task(name="demo.child")
def child() -> None:
    """Start a subtask and do not wait for it."""
    note.delay("child")


@app.task(name="demo.die")
def die() -> None:
    """Wait until the key `open:die` exists, then end the worker's process at once."""
    with _board() as board:
        while not board.exists("open:die"):
            time.sleep(0.02)
    os._exit(1)
