"""Groups that end before all of their items have, on stock workers: real Redis and Celery, the operator's own loops."""

import json
from pathlib import Path
from typing import Any

from support.celery_versions import VERSIONS
from support.live_group import live_group
from support.redis_server import redis_server
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.status.conditions import find

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 4, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}
FAIL = {"task": "chains.fail"}
GATE = {"task": "chains.gate"}


def spec(*tasks: dict[str, Any], **fields: Any) -> TaskGroupSpec:
    return TaskGroupSpec.model_validate({"tasks": list(tasks), "workers": WORKERS, **fields})


async def test_a_callback_gathers_what_there_is_when_enough_have_succeeded(tmp_path: Path) -> None:
    wanted = spec(
        ECHO, FAIL, GATE, ECHO, GATE, callback={"task": "chains.describe"}, successPolicy={"succeededCount": 2}
    )
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded) == ("Complete", 2)
    assert (status.failed, status.cancelled) in ((1, 2), (0, 3)), "the failure may come after enough have succeeded"
    assert status.callback
    assert json.loads(status.callback.result or "")["args"][0] == [[[], {}], None, None, [[], {}], None]
    complete = find(status, ConditionType.COMPLETE)
    assert complete
    assert complete.reason == Reason.SUCCESS_POLICY


async def test_one_failure_too_many_ends_the_group_while_others_run(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(GATE, FAIL, GATE, maxFailedItems=0), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.failed, status.cancelled) == ("Failed", 1, 2)
    failed = find(status, ConditionType.FAILED)
    assert failed
    assert failed.reason == Reason.MAX_FAILED_ITEMS_EXCEEDED
