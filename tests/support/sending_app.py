"""A Celery app as a user writes it: its signal adds a header to what it sends, and its queues have its own names."""

# Celery publishes no types, so its decorator hides those of every task.
# mypy: disable-error-code="untyped-decorator"

import json
import os
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.signals import before_task_publish

OPTIONS = {"priority_steps": [0, 9], "sep": ":"}
app = Celery("sending")
app.conf.broker_transport_options = OPTIONS


@before_task_publish.connect
def stamp(headers: dict[str, Any], **_: Any) -> None:
    """In the process that sends."""
    headers["stamp"] = "by the signal"


@app.task(name="sending.item", bind=True)
def item(self: Task) -> None:
    """Write down the header that came, and send a subtask for a moment at which this will have ended."""
    _note(self)
    subtask.apply_async(countdown=2)


@app.task(name="sending.subtask", bind=True)
def subtask(self: Task) -> None:
    """Write down the header that came."""
    _note(self)


@app.task(name="sending.elsewhere")
def elsewhere() -> None:
    """Send an urgent message to a queue of other workers, as it is and by an app of its own."""
    subtask.apply_async(queue="mail", priority=9)
    with Celery(broker=os.environ["CELERY_BROKER_URL"], set_as_current=False) as own:
        own.conf.broker_transport_options = OPTIONS
        own.send_task(subtask.name, queue="mail", priority=9)


def _note(task: Task) -> None:
    """One line for each run; short appends do not mix."""
    with Path(os.environ["RUNS_FILE"]).open("a") as runs:
        runs.write(f"{task.name} {json.dumps(getattr(task.request, 'stamp', None))}\n")
