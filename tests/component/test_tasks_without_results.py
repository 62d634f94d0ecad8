"""An item whose task raises Ignore: no result ever comes, and the group ends all the same, as docs/workers.md says."""

from pathlib import Path

import pytest

from support.celery_versions import VERSIONS
from support.live_group import live_group
from support.redis_server import redis_server
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker import redis_pools
from taskgroup.core.groups import recovery

SPEC = TaskGroupSpec.model_validate(
    {
        "tasks": [{"task": "outage.silent", "args": [0]}, {"task": "outage.work", "args": [1, 0]}],
        "workers": {"image": "any", "app": "support.outage_app", "concurrency": 2},
    }
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_task_that_raises_ignore_is_lost_after_four_runs(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group waited for it for ever where no worker answered. The pauses between two looks are made short here."""
    monkeypatch.setattr(recovery, "SEARCH_SECONDS", 1.0)
    monkeypatch.setattr(redis_pools, "SCAN_SECONDS", 1.0)
    with redis_server() as redis:
        async with live_group(SPEC, redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, sorted(run[0] for run in group.runs)

    assert (status.succeeded, status.failed, status.failed_indexes) == (1, 1, "0")
    assert runs == ["silent"] * (recovery.MAX_MISSED + 1) + ["work"]
    assert status.failures is not None
    (failure,) = status.failures
    assert failure.reason == Reason.LOST
    assert failure.message.startswith("Dispatched 4 times and never came back")
