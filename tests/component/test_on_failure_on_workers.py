"""What runs when a group fails, on stock workers of each version: once, told why, and without a say in the outcome.

Real Redis and Celery, the operator's own loops.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import redis_server
from support.wait import eventually_async
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}
FAIL = {"task": "chains.fail"}
HOOK = task_id(UID, stage_unit(Stage.ON_FAILURE))


def spec(on_failure: dict[str, Any], *tasks: dict[str, Any], **fields: Any) -> TaskGroupSpec:
    return TaskGroupSpec.model_validate(
        {"tasks": list(tasks), "onFailure": on_failure, "workers": WORKERS, **fields},
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_is_told_why_and_how_the_items_ended(version: str, tmp_path: Path) -> None:
    hook = {**ECHO, "args": ["$(group.name)"]}
    with redis_server() as redis:
        async with live_group(spec(hook, ECHO, FAIL, FAIL), redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.succeeded, status.failed) == ("Failed", 1, 2)
    assert status.on_failure
    assert status.on_failure.state is StageState.SUCCEEDED
    (told, name), _ = json.loads(status.on_failure.result or "")
    assert (told["reason"], told["failedIndexes"], name) == (Reason.FAILED_INDEXES, "1,2", "live")
    assert told["failures"] == {"ValueError": 2}
    assert [run[:2] for run in runs][-1] == ["chains.echo", HOOK]


async def test_its_own_failure_hides_nothing(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(FAIL, FAIL), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert status.on_failure == StageStatus(state=StageState.FAILED, reason="ValueError", message="no such page")
    reasons = {condition.type: condition.reason for condition in status.conditions or ()}
    assert reasons["Failed"] == Reason.FAILED_INDEXES


async def test_it_runs_when_the_deadline_has_cut_items_off(tmp_path: Path) -> None:
    """What held the worker is gone by then, or the task would wait behind it."""
    held = {"task": "chains.gate"}
    wanted = spec(ECHO, held, held, held, activeDeadlineSeconds=4)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await eventually_async(lambda: _is_cut(group), state=group.state)
            (tmp_path / "open").touch()
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.cancelled) == ("Failed", 3)
    assert status.on_failure
    assert status.on_failure.state is StageState.SUCCEEDED
    assert [run[1] for run in runs].count(HOOK) == 1


async def _is_cut(group: LiveGroup) -> bool:
    return group.status.on_failure is not None


async def test_a_group_that_succeeds_does_not_run_it(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(ECHO, ECHO), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.on_failure) == ("Complete", None)
    assert len(runs) == 1
