"""A Celery app as a user writes it, whose tasks stand in chains and write down each run outside Redis."""

# Celery publishes no types, so its decorator hides those of every task.
# mypy: disable-error-code="untyped-decorator"

import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

from celery import Celery, Task

app = Celery("chains")
_OPENER = urllib.request.build_opener()
"""Made in advance: the first call of each process was late."""

VALUES: dict[str, Any] = {
    "none": None,
    "list": [1, [2, None]],
    "dict": {"a": {"b": [1.5]}},
    "big": 2**53 + 1,
    "long": 10**30,
    "nan": float("nan"),
    "huge": "x" * 1_200_000,
    "text": "é\n$(item)",
}


class RefusedError(Exception):
    """A class of the app's own."""


def _tell(task: Task, args: list[Any]) -> None:
    with Path(os.environ["RUNS_FILE"]).with_name("told").open("a") as told:
        told.write(f"{json.dumps([task.request.id, *args])}\n")


def _note(task: Task) -> None:
    """One line for each run; short appends do not mix."""
    with Path(os.environ["RUNS_FILE"]).open("a") as runs:
        runs.write(f"{task.name} {task.request.id} {task.request.retries}\n")


@app.task(name="chains.echo", bind=True)
def echo(self: Task, *args: Any, **kwargs: Any) -> list[Any]:
    """Return the arguments as they were received."""
    _note(self)
    return [list(args), kwargs]


@app.task(name="chains.tell", bind=True)
def tell(self: Task, *args: Any) -> None:
    """Write the arguments down beside the runs, as they were received."""
    _note(self)
    _tell(self, list(args))


@app.task(name="chains.tell_id", bind=True)
def tell_id(self: Task, name: str) -> None:
    """The same with the one argument that Celery sends to an errback."""
    _note(self)
    _tell(self, [name])


@app.task(name="chains.describe", bind=True)
def describe(self: Task, *args: Any) -> dict[str, Any]:
    """Return the arguments and parts of the task's request."""
    _note(self)
    return {"args": list(args), "id": self.request.id, "parent": self.request.parent_id}


@app.task(name="chains.when", bind=True)
def when(self: Task, before: list[Any] | None = None) -> list[Any]:
    """Return what was given, and when this is run with which ETA."""
    _note(self)
    return [*(before or []), {"time": time.time(), "eta": self.request.eta}]


@app.task(name="chains.give", bind=True)
def give(self: Task, kind: str) -> Any:
    """Return one of VALUES."""
    _note(self)
    return VALUES[kind]


@app.task(name="chains.give_later", bind=True)
def give_later(self: Task, kind: str) -> Any:
    """The same, after the operator's first retry."""
    _note(self)
    if "~" not in self.request.id:
        raise ValueError("not yet")
    return VALUES[kind]


@app.task(name="chains.alone", bind=True)
def alone(self: Task) -> None:
    """Take no argument."""
    _note(self)


@app.task(name="chains.fail", bind=True)
def fail(self: Task, *_args: Any) -> None:
    """Raise."""
    _note(self)
    raise ValueError("no such page")


@app.task(name="chains.die", bind=True)
def die(self: Task, *_args: Any) -> None:
    """Take the whole worker along, which has one process."""
    _note(self)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="chains.refuse", bind=True)
def refuse(self: Task, *_args: Any) -> None:
    """Raise a class that only this app knows."""
    _note(self)
    raise RefusedError("not today")


@app.task(name="chains.heal", bind=True)
def heal(self: Task, *args: Any) -> list[Any]:
    """Raise until the file of the runs has a neighbour named `healed`."""
    _note(self)
    if not Path(os.environ["RUNS_FILE"]).with_name("healed").exists():
        raise ValueError("not yet")
    return list(args)


@app.task(name="chains.flaky", bind=True, max_retries=2)
def flaky(self: Task, value: Any) -> list[Any]:
    """Retry once, then return what was given and the number of retries."""
    _note(self)
    if self.request.retries < 1:
        raise self.retry(countdown=0)
    return [value, self.request.retries]


@app.task(name="chains.stubborn", bind=True)
def stubborn(self: Task, most: int) -> None:
    """Retry by itself this often, then give up. With no countdown Celery may store RETRY over the last end."""
    _note(self)
    raise self.retry(exc=LookupError("no answer"), countdown=0.5, max_retries=most)


@app.task(name="chains.patient", bind=True, max_retries=None)
def patient(self: Task, countdown: float) -> int:
    """Retry by itself until the file of the runs has a neighbour named `healed`; return the number of retries."""
    _note(self)
    if not Path(os.environ["RUNS_FILE"]).with_name("healed").exists():
        raise self.retry(countdown=countdown)
    return int(self.request.retries)


@app.task(name="chains.call", bind=True)
def call(self: Task, url: str) -> int:
    """Ask a server, which may refuse."""
    _note(self)
    return _ask(url)


def _ask(url: str) -> int:
    with _OPENER.open(url) as answer:
        return int(answer.status)


@app.task(name="chains.call_and_fail", bind=True)
def call_and_fail(self: Task, url: str) -> int:
    """The same, and the first attempt fails afterwards."""
    _note(self)
    status = _ask(url)
    if "~" not in self.request.id:
        raise ValueError("not yet")
    return status


@app.task(name="chains.call_and_wait", bind=True)
def call_and_wait(self: Task, url: str) -> int:
    """The same, and the answer is kept until the file of the runs has a neighbour named `open`."""
    _note(self)
    status = _ask(url)
    _wait()
    return status


def _wait() -> None:
    while not Path(os.environ["RUNS_FILE"]).with_name("open").exists():
        time.sleep(0.02)


@app.task(name="chains.gate", bind=True)
def gate(self: Task) -> None:
    """Wait until the file of the runs has a neighbour named `open`."""
    _note(self)
    _wait()


@app.task(name="chains.each", bind=True)
def each(self: Task, items: list[Any]) -> list[list[Any]]:
    """Return a list for each item; those that are words say what to do first."""
    _note(self)
    if "fail" in items or ("fail once" in items and "~" not in self.request.id):
        raise ValueError("no such page")
    if "gate" in items:
        _wait()
    return [[item] for item in items if item != "lose"]


@app.task(name="chains.runs", bind=True)
def runs_needed(self: Task, *args: Any) -> list[str]:
    """Fail until this is the run that the last argument names; then return the ids of all runs."""
    _note(self)
    base = self.request.id.partition("~")[0]
    lines = Path(os.environ["RUNS_FILE"]).read_text().splitlines()
    own = [line.split()[1] for line in lines if line.split()[1].partition("~")[0] == base]
    if len(own) < args[-1]:
        raise LookupError(f"run {len(own)} of {args[-1]}")
    return own
