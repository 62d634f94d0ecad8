"""An app that sets everything in its own way: what a group needs from a worker, and what it leaves to the app.

ODD_STYLE chooses where the settings come from: `plain`, `prefixed` (under CELERY_, as in Django) or `old` (the names
before Celery 4, as far as there are some). Its tasks tell what became of it.
"""

# Celery publishes no types.
# mypy: disable-error-code="untyped-decorator"

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task, shared_task
from celery.app.defaults import _TO_OLD_KEY, NAMESPACES, flatten

from support.odd_values import ATTRIBUTES, LEFT, LEFT_ATTRIBUTES, NEEDED

KNOWN = {name: value for name, value in (NEEDED | LEFT).items() if name in dict(flatten(NAMESPACES))}
"""Those that this version of Celery has."""

app = Celery("odd", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")
_STYLE = os.environ.get("ODD_STYLE", "plain")
if _STYLE == "prefixed":
    app.config_from_object({f"CELERY_{name.upper()}": value for name, value in KNOWN.items()}, namespace="CELERY")
elif _STYLE == "old":
    app.config_from_object({_TO_OLD_KEY[name]: value for name, value in KNOWN.items() if _TO_OLD_KEY[name] != name})
else:
    app.conf.update(KNOWN)


@app.task(name="odd.declared", **ATTRIBUTES, **LEFT_ATTRIBUTES)
def declared() -> str:
    """A task that says everything itself."""
    return "declared"


@app.task(name="odd.bound")
def bound() -> str:
    """A task that is bound while the app is imported, so that it copies the app's settings."""
    return "bound"


@app.task(name="odd.annotated")
def annotated() -> str:
    """A task that gets its attributes from a setting."""
    return "annotated"


@app.task(name="odd.changed")
def changed() -> str:
    """A task that is changed after it was made."""
    return "changed"


@shared_task(name="odd.shared", **ATTRIBUTES)
def shared() -> str:
    """A task for any app."""
    return "shared"


class Registered(Task):  # type: ignore[misc]
    """A task as a class."""

    name = "odd.registered"
    queue = "mail"
    acks_late = False
    ignore_result = True

    def run(self) -> str:
        """Its own name."""
        return "registered"


app.register_task(Registered())
BOUND = bound.s()
for _name, _value in ATTRIBUTES.items():
    setattr(changed, _name, _value)
# What Celery makes of its settings when it is asked, it keeps.
ASKED = (app.amqp.queues, app.amqp.router, app.control.mailbox, app.conf.task_always_eager)


@app.task(name="odd.killed", **ATTRIBUTES)
def killed() -> None:
    """Dies with its process, as when it takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="odd.unstorable")
def unstorable() -> set[int]:
    """Give a value that is no JSON."""
    return {1}


@app.task(name="odd.again", bind=True, **ATTRIBUTES)
def again(self: Task, folder: str) -> str:
    """Send a task, say that it runs, wait until it may go on, and be run again once."""
    if self.request.retries:
        return "again"
    # The process has a connection from now on, which breaks when Redis goes.
    bound.delay()
    Path(folder, "runs").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.05)
    raise self.retry(countdown=0)


@app.task(name="odd.settings")
def settings() -> dict[str, str]:
    """Whose word counts: app or operator, for each setting, in the process that runs tasks."""
    return {name: "app" if getattr(app.conf, name) == said else "operator" for name, said in KNOWN.items()}


@app.task(name="odd.attributes")
def attributes() -> dict[str, str]:
    """Whose word counts: task or operator, for each attribute of a task that says everything itself."""
    said = ATTRIBUTES | LEFT_ATTRIBUTES
    return {name: "task" if getattr(declared, name) == value else "operator" for name, value in said.items()}


@app.task(name="odd.variables")
def variables(names: list[str]) -> dict[str, str]:
    """The values of environment variables."""
    return {name: os.environ[name] for name in names}


@app.task(name="odd.late")
def late() -> dict[str, Any]:
    """The attributes of a task that is made while the worker runs."""

    @app.task(name="odd.made", **ATTRIBUTES)
    def made() -> None:
        """Never run."""

    return {name: getattr(made, name) for name in ATTRIBUTES}


@app.task(name="odd.nap", bind=True, max_retries=1, **ATTRIBUTES)
def nap(self: Task, seconds: float) -> str:
    """Sleep in each of two attempts."""
    time.sleep(seconds)
    if not self.request.retries:
        raise self.retry(countdown=0)
    return "slept"


@app.task(name="odd.parent", bind=True, max_retries=1, **ATTRIBUTES)
def parent(self: Task) -> list[str]:
    """Be run again, start one task of each kind, and give their ids."""
    if not self.request.retries:
        raise self.retry(countdown=0)
    return [str(task.delay().id) for task in (declared, bound, annotated, changed, shared, Registered())]
