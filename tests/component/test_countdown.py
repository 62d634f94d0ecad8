"""Tasks with a countdown on stock workers: never early, held by no worker, and kept over a restart of the operator."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.status.conditions import seconds

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
FIRST, SECOND = 8, 2
"""Longer than a worker takes to start, and than a step takes."""
COUNT = 3


def when(countdown: int) -> dict[str, Any]:
    return {"task": "chains.when", "options": {"countdownSeconds": countdown}}


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_no_task_is_early_although_the_operator_is_restarted(version: str, tmp_path: Path) -> None:
    wanted = TaskGroupSpec.model_validate(
        {
            "sequence": {"count": COUNT},
            "template": {"chain": [when(FIRST), when(SECOND)]},
            "workers": WORKERS,
            "callback": {"task": "chains.echo"},
        }
    )
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.until(lambda: group.status.start_time is not None)
            await group.restart()
            await group.until(lambda: len(group.runs) >= COUNT)
            await group.restart()
            await group.finished()
            status, ids = group.status, [run[1] for run in group.runs if run[0] == "chains.when"]

    assert (status.state, status.succeeded) == ("Complete", COUNT)
    assert len(set(ids)) == len(ids) == 2 * COUNT, "each step was run once"
    assert status.callback
    assert status.start_time
    for first, second in json.loads(status.callback.result or "")[0][0]:
        assert first["time"] >= seconds(status.start_time) + FIRST
        assert second["time"] >= first["time"] + SECOND
        assert (first["eta"], second["eta"]) == (None, None)
