"""A Celery app whose tasks write down what happens to them; tests mount it into stock worker images.

It notes in a Redis, under `probe:<uid of the group>:…`, how often each item ran and in which order. That Redis is not
the group's own where a test kills that one.
"""

# Celery publishes no types.
# mypy: disallow-untyped-decorators=False, disallow-subclassing-any=False

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import Celery, Task
from redis import Redis

app = Celery("probe")
# Who waits at a gate reads for minutes.
store = Redis.from_url(os.environ["PROBE_URL"], socket_timeout=None)
SECONDS_KEPT = 3600
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@app.task(bind=True, name="probe.count")
def count(self: Task, n: int) -> int:
    """Note that item n begins, return n."""
    _note(self, n)
    return n


@app.task(bind=True, name="probe.hold")
def hold(self: Task, n: int) -> int:
    """Note that item n begins, wait until the test lets it go, return n."""
    _note(self, n)
    with _counted(_key(self)):
        _wait_at(f"{_key(self)}:gate")
    return n


@app.task(bind=True, name="probe.resize")
def resize(self: Task, path: str, width: int) -> dict[str, Any]:
    """Scale a picture of the example image, as its own `images.resize` does, and wait as `hold`."""
    picture: dict[str, Any] = import_module("pictures").resize(path, width)
    _wait_at(f"{_key(self)}:gate")
    return picture


@app.task(bind=True, name="probe.early", acks_late=False)
def early(self: Task, n: int) -> int:
    """As `hold`, but its message is acknowledged before it runs, whatever the worker was told."""
    return int(hold.run.__func__(self, n))


@app.task(bind=True, name="probe.patient", max_retries=None)
def patient(self: Task, n: int, countdown: float) -> int:
    """Note that item n begins, try it once more after so many seconds, return n."""
    _note(self, n)
    if not self.request.retries:
        raise self.retry(countdown=countdown)
    return n


@app.task(bind=True, name="probe.request")
def request(self: Task, header: str) -> dict[str, Any]:
    """What the message said besides its arguments: one header, and the name for logs."""
    return {"header": getattr(self.request, header, None), "shadow": self.request.shadow}


@app.task(bind=True, name="probe.fail")
def fail(self: Task, n: int, message: str) -> None:
    """Note that item n begins, then fail."""
    _note(self, n)
    raise ValueError(message)


@app.task(name="probe.die")
def die() -> None:
    """End the process at once; in the pool `solo` that is the worker itself."""
    os._exit(1)


@app.task(name="probe.surroundings")
def surroundings() -> dict[str, Any]:
    """What the process may do and see."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    with tempfile.TemporaryFile() as scratch:
        scratch.write(b"x")
    return {
        "user": os.getuid(),
        "capabilities": int(status["CapEff"], 16),
        "new_privileges": status["NoNewPrivs"] != "1",
        "system_calls_filtered": status["Seccomp"] == "2",
        "token": TOKEN.exists(),
        "writes_to_root": _can_write("/probe-was-here"),
    }


def _can_write(path: str) -> bool:
    try:
        Path(path).write_text("")
    except OSError:
        return False
    return True


def _wait_at(gate: str) -> None:
    """Until there is a token. `pass` is for one item; `open` is put back for the next."""
    found: Any = store.blpop([gate], timeout=SECONDS_KEPT)
    if found is None:
        raise TimeoutError(f"nobody opened {gate}")
    if found[1] == b"open":
        store.lpush(gate, "open")
        store.expire(gate, SECONDS_KEPT)


@contextmanager
def _counted(key: str) -> Iterator[None]:
    """Note how many of the group's items run at this moment at most."""
    running = store.incr(f"{key}:running")
    store.zadd(f"{key}:at_once", {"most": running}, gt=True)
    try:
        yield
    finally:
        store.decr(f"{key}:running")


def _key(task: Task) -> str:
    """The root of every task of a group is one of its items."""
    return f"probe:{task.request.root_id.rpartition('.')[0]}"


def _note(task: Task, n: int) -> None:
    key = _key(task)
    store.hincrby(f"{key}:runs", str(n), 1)
    store.rpush(f"{key}:order", n)
    for name in ("runs", "order", "running", "at_once"):
        store.expire(f"{key}:{name}", SECONDS_KEPT)
