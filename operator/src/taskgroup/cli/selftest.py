"""Runs a small TaskGroup to its end, for `helm test`."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any, TextIO

from taskgroup.api.names import ConditionType
from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.status.conditions import find, is_true

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Selftest:
    """Worker image, app and task to run, the namespace, and the time limit in seconds."""

    image: str
    app: str
    task: str
    namespace: str
    seconds: float


async def run_selftest(test: Selftest, out: TextIO) -> None:
    """Run the group, print its outcome and delete it. Raises RuntimeError when it does not complete in time."""
    async with await connect() as cluster:
        name = f"selftest-{secrets.token_hex(3)}"
        await cluster.create(TASK_GROUPS, test.namespace, _manifest(name, test))
        try:
            status = await _final_status(cluster, test, name)
        finally:
            await cluster.delete(TASK_GROUPS, test.namespace, name)
        finished = find(status, ConditionType.FINISHED)
        print(f"{name}: {status.state}: {finished.message if finished else ''}", file=out)
        if not is_true(status, ConditionType.COMPLETE):
            raise RuntimeError(f"{name} did not complete.")


def _manifest(name: str, test: Selftest) -> dict[str, Any]:
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    workers = {"image": test.image, "app": test.app, "concurrency": 1, "resources": resources}
    template = {"task": test.task, "args": ["$(item)"], "options": {"timeLimitSeconds": 60}}
    spec = {"sequence": {"count": 3}, "template": template, "workers": workers, "activeDeadlineSeconds": 600}
    return {"metadata": {"name": name}, "spec": spec}


async def _final_status(cluster: Cluster, test: Selftest, name: str) -> TaskGroupStatus:
    deadline = time.monotonic() + test.seconds
    while True:
        group = await cluster.get(TASK_GROUPS, test.namespace, name)
        status = TaskGroupStatus.model_validate(group.get("status") or {})
        if is_true(status, ConditionType.FINISHED):
            return status
        if time.monotonic() > deadline:
            ready = find(status, ConditionType.READY)
            text = ready.message if ready else "the operator has not written a status: is it running?"
            raise RuntimeError(f"{name} has not ended after {test.seconds:g} s ({status.progress}): {text}")
        await asyncio.sleep(_POLL_SECONDS)
