"""Callbacks on stock workers of each version: one run after all items, with their results in the order of the items.

Real Redis and Celery, the operator's own loops.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import redis_server
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 4, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}
CALLBACK = task_id(UID, stage_unit(Stage.CALLBACK))


def spec(callback: dict[str, Any], *tasks: dict[str, Any], count: int = 20) -> TaskGroupSpec:
    """A group of these tasks, or of a chain of two for each number."""
    template = {"chain": [{**ECHO, "args": ["$(item)"]}, ECHO]}
    items: dict[str, Any] = {"tasks": list(tasks)} if tasks else {"sequence": {"count": count}, "template": template}
    return TaskGroupSpec.model_validate({**items, "callback": callback, "workers": WORKERS})


def called(runs: list[list[str]]) -> list[str]:
    """The ids under which the callback ran."""
    return [run[1] for run in runs if run[1].startswith(CALLBACK)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_gets_all_results_in_the_order_of_the_items(version: str, tmp_path: Path) -> None:
    callback = {"task": "chains.describe", "args": ["$(group.name)"]}
    with redis_server() as redis:
        async with live_group(spec(callback, count=5), redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.total, status.succeeded) == ("Complete", 5, 5)
    assert status.callback
    assert status.callback.state is StageState.SUCCEEDED
    results = [[[[[index], {}]], {}] for index in range(5)]
    shown = json.loads(status.callback.result or "")
    assert shown["args"][0] == results
    assert shown["id"] == CALLBACK
    assert shown["parent"] is None
    assert called(runs) == [CALLBACK]
    assert [run[0] for run in runs][-1] == "chains.describe", "it runs behind all items"


async def test_a_chain_may_gather_and_gets_what_it_asks_for(tmp_path: Path) -> None:
    callback = {"chain": [ECHO, {"task": "chains.flaky"}], "input": "Summary"}
    with redis_server() as redis:
        async with live_group(spec(callback), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert status.callback
    summary = {"total": 20, "succeeded": 20, "failed": 0, "cancelled": 0, "failures": {}}
    assert json.loads(status.callback.result or "") == [[[summary], {}], 1], "the second task retried itself once"


async def test_results_that_are_too_long_come_as_a_reference(tmp_path: Path) -> None:
    huge = {"task": "chains.give", "args": ["huge"]}
    with redis_server() as redis:
        async with live_group(spec(ECHO, huge, huge), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert status.callback
    reference = {"resultsRef": {"uid": UID, "total": 2, "suffix": "", "exceptions": {}}}
    assert json.loads(status.callback.result or "") == [[reference], {}]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_the_documented_callback_reads_what_a_reference_names(version: str, tmp_path: Path) -> None:
    """Of a chain, of a task alone and of one that was retried, whose ids are made differently."""
    give = {"task": "chains.give", "args": ["huge"], "options": {"immutable": True}}
    tasks = [{"chain": [ECHO, give]}, give, {"task": "chains.give_later", "args": ["huge"]}]
    callback = {"task": "reports.combine", "args": ["$(group.name)"]}
    fields = {
        "workers": WORKERS | {"app": "support.docs_app"},
        "retryPolicy": {"limit": 1, "backoff": {"initialSeconds": 0}},
    }
    wanted = TaskGroupSpec.model_validate({"tasks": tasks, "callback": callback, **fields})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.finished()
            status = group.status

    assert status.callback
    assert status.callback.state is StageState.SUCCEEDED, status.callback
    assert json.loads(status.callback.result or "") == {"live": 3 * 1_200_000}


async def test_its_failure_is_the_groups(tmp_path: Path) -> None:
    callback = {"chain": [ECHO, {"task": "chains.fail"}], "input": "None"}
    with redis_server() as redis:
        async with live_group(spec(callback), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, status.failed) == ("Failed", 20, 0)
    message = "Step 2 of 2, chains.fail: no such page"
    assert status.callback == StageStatus(state=StageState.FAILED, reason="ValueError", message=message)
    reasons = {condition.type: condition.reason for condition in status.conditions or ()}
    assert reasons["Failed"] == Reason.CALLBACK_FAILED


async def test_it_does_not_run_when_an_item_failed(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(ECHO, ECHO, {"task": "chains.fail"}), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.failed) == ("Failed", 1)
    assert status.callback == StageStatus(state=StageState.CANCELLED)
    assert called(runs) == []
