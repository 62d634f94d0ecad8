"""Chains whose later step is revoked, expires or kills its worker: the item ends with the step's name, and none hangs.

Real Redis and Celery, the operator's own loops.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 1, "maxReplicas": 1}
EXPIRES, REVOKED, GATE, DIES = range(4)
EXPIRES_SECONDS = 1


def _step(name: str, priority: int, **options: Any) -> dict[str, Any]:
    return {"task": f"chains.{name}", "options": {"priority": priority, **options}}


TASKS: list[dict[str, Any]] = [
    {"chain": [_step("echo", 9), _step("echo", 6, expiresSeconds=EXPIRES_SECONDS)]},
    {"chain": [_step("echo", 9), _step("echo", 3)]},
    _step("gate", 8),
    {"chain": [_step("echo", 9), _step("die", 0)]},
]
"""The worker, which runs one at a time, takes the gate before any second step, and what kills it last."""


def spec() -> TaskGroupSpec:
    policy = {"limit": 0, "maxWorkerLosses": 1}
    fields = {"retryPolicy": policy, "onItemFailure": {"task": "chains.tell"}}
    return TaskGroupSpec.model_validate({"tasks": TASKS, "workers": WORKERS, **fields})


def queued(server: RedisServer, list_number: int) -> bool:
    """Whether a message waits in this one of the queue's four lists."""
    with redis.Redis.from_url(server.url) as client:
        return bool(client.llen(PoolKeys("", UID).lists[list_number]))


def revoke(server: RedisServer, name: str) -> None:
    """As `celery control revoke` does; the worker has answered then."""
    with celery_client(server.url) as client:
        assert client.control.revoke(name, reply=True, limit=1, timeout=PATIENCE)


def told(folder: Path) -> dict[int, str]:
    """Item to the message that its hook was told."""
    lines = [json.loads(line) for line in (folder / "told").read_text().splitlines()]
    return {index: error["message"] for _, _, index, error in lines}


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_a_step_that_never_ends_itself_ends_its_item_under_its_name(version: str, tmp_path: Path) -> None:
    with redis_server() as server:
        async with live_group(spec(), server, tmp_path, version) as group:
            await group.until(lambda: any(run[0] == "chains.gate" for run in group.runs))
            await group.until(lambda: queued(server, 1) and queued(server, 2))
            sent = group.now()
            await asyncio.to_thread(revoke, server, task_id(UID, unit_of(REVOKED, 1)))
            await group.until(lambda: group.now() > sent + EXPIRES_SECONDS)
            (tmp_path / "open").touch()
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs]

    assert (status.state, status.completed_indexes) == ("Failed", str(GATE))
    found = {failure.indexes: (failure.reason, failure.message) for failure in status.failures or ()}
    assert {index: reason for index, (reason, _) in found.items()} == {
        str(EXPIRES): Reason.EXPIRED,
        str(REVOKED): Reason.REVOKED,
        str(DIES): Reason.LOST,
    }
    assert found[str(DIES)][1] == "Step 2 of 2, chains.die: 2 workers died while they ran it."
    for index in (EXPIRES, REVOKED):
        assert str(found[str(index)][1]).startswith("Step 2 of 2, chains.echo: ")
        assert task_id(UID, unit_of(index, 1)) not in runs
    assert told(tmp_path) == {int(index): message for index, (_, message) in found.items()}, "the hook is told the same"
