"""Chunks on a stock worker: a message is one success, one failure or one attempt of all of its items.

Real Redis and Celery, the operator's own loops.
"""

import json
from pathlib import Path
from typing import Any

from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import redis_server
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
GATHER = {"task": "chains.describe"}


def spec(items: list[Any], task: str = "each", **fields: Any) -> TaskGroupSpec:
    """Two items to a message."""
    template = {"task": f"chains.{task}", "args": ["$(items)"]}
    return TaskGroupSpec.model_validate(
        {"items": items, "template": template, "chunkSize": 2, "workers": WORKERS, **fields}
    )


def chunks_run(group: LiveGroup) -> list[str]:
    """Ids of the runs of items, as short as they can be."""
    return sorted(run[1].removeprefix(UID) for run in group.runs if run[0] != "chains.describe")


def gathered(status: TaskGroupStatus) -> Any:
    """What the callback got."""
    assert status.callback
    return json.loads(status.callback.result or "")["args"][0]


async def test_a_chunk_fails_as_one_when_it_raises_or_returns_too_few(tmp_path: Path) -> None:
    wanted = spec([1, 2, "fail", 4, "lose", 6, 7])
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, status.failed, status.messages) == ("Failed", 3, 4, "4/4")
    assert (status.completed_indexes, status.failed_indexes) == ("0,1,6", "2-5")
    failures = {failure.reason: failure for failure in status.failures or ()}
    assert failures.keys() == {"ValueError", Reason.NOT_ONE_RESULT_EACH}
    raised, lost = failures["ValueError"], failures[Reason.NOT_ONE_RESULT_EACH]
    assert (raised.message, raised.count, raised.indexes) == ("no such page", 2, "2,3")
    assert (lost.count, lost.indexes) == (2, "4,5")
    assert lost.message.startswith("The task got 2 items and returned a list of 1: ")
    assert chunks_run(group) == [".0", ".2", ".4", ".6"]


async def test_a_whole_result_is_handed_over_as_it_is(tmp_path: Path) -> None:
    wanted = spec([1, 2, 3], "echo", chunkResult="Whole", callback=GATHER)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, status.messages) == ("Complete", 3, "2/2")
    assert gathered(status) == [[[[1, 2]], {}], [[[3]], {}]]


async def test_a_chunk_is_run_again_as_one(tmp_path: Path) -> None:
    policy = {"limit": 1, "backoff": {"initialSeconds": 1, "maxSeconds": 1}}
    wanted = spec([1, 2, 3, "fail once", 5], retryPolicy=policy, callback=GATHER)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, status.failed, status.messages) == ("Complete", 5, 0, "3/3")
    assert gathered(status) == [[1], [2], [3], ["fail once"], [5]]
    assert chunks_run(group) == [".0", ".2", ".2~1", ".4"]


async def test_what_is_appended_behind_a_chunk_with_room_begins_another_one(tmp_path: Path) -> None:
    items = [1, "gate", 3]
    with redis_server() as redis:
        async with live_group(spec(items, callback=GATHER), redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: group.status.succeeded == 1)
            group.change(items=[*items, 4, 5, 6])
            await group.until(lambda: group.status.succeeded == 4)
            (tmp_path / "open").touch()
            await group.finished()
            status = group.status

    assert (status.state, status.total, status.messages) == ("Complete", 6, "4/4")
    assert status.items
    assert status.items.chunk_starts == "3"
    assert gathered(status) == [[1], ["gate"], [3], [4], [5], [6]]
    assert chunks_run(group) == [".0", ".2", ".3", ".5"]
