"""Items that wait for their next try leave the workers to those that are ready.

Real Redis and Celery, the operator's own loops.
"""

from pathlib import Path

import pytest

from support.celery_versions import ONE_OF_ALL
from support.live_group import UID, live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
PATIENT, READY = 8, 10
COUNTDOWN = 1


@pytest.mark.parametrize("version", ONE_OF_ALL)
async def test_ready_items_are_sent_and_run_while_others_wait_for_their_retry(version: str, tmp_path: Path) -> None:
    """Five items that retried with a countdown filled the window, and ten ready ones waited beside idle slots."""
    patient = {"task": "chains.patient", "args": [COUNTDOWN]}
    tasks = [*(patient for _ in range(PATIENT)), *({"task": "chains.echo"} for _ in range(READY))]
    wanted = TaskGroupSpec.model_validate({"tasks": tasks, "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.until(lambda: group.status.succeeded == READY)
            waiting = group.status
            (tmp_path / "healed").touch()
            await group.finished()
            status, runs = group.status, group.runs

    assert waiting.completed_indexes == f"{PATIENT}-{PATIENT + READY - 1}"
    assert (waiting.pending, (waiting.active or 0) + (waiting.retrying or 0)) == (0, PATIENT)
    assert (status.state, status.succeeded) == ("Complete", PATIENT + READY)
    assert sorted(run[1] for run in runs if run[0] == "chains.echo") == sorted(
        f"{UID}.{PATIENT + index}" for index in range(READY)
    )
    assert {run[1] for run in runs if run[0] == "chains.patient"} == {f"{UID}.{index}" for index in range(PATIENT)}
