"""A real worker that runs four items dies of one of them, again and again: only that one is given up."""

import json
import time
from datetime import UTC, datetime

import pytest

from support.celery_versions import ONE_OF_ALL
from support.celery_worker import CeleryWorker
from support.task_groups import WORKERS, Bench
from support.wait import PATIENCE, eventually
from taskgroup.broker.keys import PoolKeys

POD = "pod-a"
POISON = 2
MOST_LIVES = 8


@pytest.mark.parametrize("version", ONE_OF_ALL)
def test_of_four_items_only_the_one_that_kills_the_worker_is_lost(bench: Bench, version: str) -> None:
    """All four became Lost: they went back side by side, and died side by side."""
    tasks = [{"task": "demo.gate", "args": [str(index)]} for index in range(4)]
    tasks[POISON] = {"task": "demo.die", "args": []}
    uid = bench.apply("crash", tasks=tasks, workers=WORKERS | {"concurrency": 4, "maxReplicas": 1})
    with bench.pod(uid, POD):
        for life in range(MOST_LIVES):
            with bench.process(uid, POD, "--pool", "threads", "-c", "4", version=version) as worker:
                if _has_ended(bench, uid, worker):
                    break
            _restart(bench, uid, life + 1)

    status = bench.finished("crash")
    assert (status["succeeded"], status["failed"], status["failedIndexes"]) == (3, 1, str(POISON))
    assert status["failures"][0]["reason"] == "Lost"


def _has_ended(bench: Bench, uid: str, worker: CeleryWorker) -> bool:
    """True when the group ended, False when the worker died. The poison acts once all that is in flight is with it."""
    limit = time.monotonic() + PATIENCE
    with bench.redis() as client:
        while worker.process.poll() is None:
            assert time.monotonic() < limit, bench.operator.log[-3000:]
            status = bench.status("crash")
            if status.get("state") == "Failed":
                return True
            held = client.hvals(PoolKeys("", uid).unacked(POD))
            items = {json.loads(raw)[0]["headers"]["id"] for raw in held}
            if f"{uid}.{POISON}" not in items:
                client.mset({f"open:{index}": 1 for index in range(4)})
            elif len(items) == status.get("active"):
                client.set("open:die", 1)
    return False


def _restart(bench: Bench, uid: str, restarts: int) -> None:
    """As the kubelet says it, in whole seconds: the next container starts after that."""
    started = int(time.time()) + 1
    moment = datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": moment, "finishedAt": moment}
    container = {"name": "worker", "image": "i", "imageID": "", "ready": True, "restartCount": restarts}
    container |= {"state": {"running": {"startedAt": moment}}, "lastState": {"terminated": ended}}
    status = json.dumps({"status": {"phase": "Running", "containerStatuses": [container]}})
    patched = bench.kubectl("patch", "pod", POD, "--subresource=status", "--type=merge", "--patch", status)
    assert patched.returncode == 0, patched.stderr
    with bench.redis() as client:
        client.delete("open:die", *(f"open:{index}" for index in range(4)))
        key = PoolKeys("", uid).unacked(POD)
        eventually(lambda: not client.exists(key), state=lambda: bench.operator.log[-3000:])
    eventually(lambda: time.time() > started + 1)
