"""What runs before the items on stock workers of each version: its result in their arguments, and as the items.

Real Redis and Celery, the operator's own loops.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from celery import chain, group, signature

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE, eventually_async
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}
FROM_BEFORE = {"itemsFrom": {"before": {}}, "template": {**ECHO, "args": ["$(item)"]}}
BEFORE = task_id(UID, stage_unit(Stage.BEFORE))


def spec(**fields: Any) -> TaskGroupSpec:
    return TaskGroupSpec.model_validate({"workers": WORKERS, **fields})


def give(kind: str) -> dict[str, Any]:
    return {"task": "chains.give", "args": [kind]}


async def values(redis: RedisServer, units: list[int]) -> list[Any]:
    results = RedisResults(redis.url)
    stored = await results.values([task_id(UID, unit) for unit in units])
    await results.close()
    return [one.value if one else None for one in stored]


@pytest.mark.parametrize("version", VERSIONS)
async def test_its_result_becomes_the_items(version: str, tmp_path: Path) -> None:
    callback = {**ECHO, "args": ["$(before.result.1)"]}
    wanted = spec(before=give("list"), callback=callback, **FROM_BEFORE)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, [list(run) for run in group.runs]

    assert (status.state, status.total, status.succeeded) == ("Complete", 2, 2)
    assert status.before
    assert (status.before.state, status.before.result) == (StageState.SUCCEEDED, "[1, [2, null]]")
    assert status.callback
    assert json.loads(status.callback.result or "") == [[[[[1], {}], [[[2, None]], {}]], [2, None]], {}]
    assert runs[0][:2] == ["chains.give", BEFORE]
    assert sorted(run[1] for run in runs[1:3]) == [f"{UID}.0", f"{UID}.1"]


async def test_a_chain_may_find_them_and_its_last_task_may_retry(tmp_path: Path) -> None:
    before = {"chain": [give("list"), {"task": "chains.flaky"}]}
    with redis_server() as redis:
        async with live_group(spec(before=before, **FROM_BEFORE), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, first = group.status, await values(redis, [0, 1])

    assert (status.state, status.total) == ("Complete", 2)
    assert first == [[[[1, [2, None]]], {}], [[1], {}]], "the list and the number of retries"


@pytest.mark.parametrize(
    ("kind", "reason", "sentence"),
    [
        ("dict", Reason.RESULT_UNUSABLE, "The result of spec.before is not a list, but an object"),
        ("long", Reason.RESULT_UNUSABLE, "The result of spec.before is not a list, but a number"),
        ("none", Reason.RESULT_UNUSABLE, "The result of spec.before is not a list, but null"),
    ],
)
async def test_a_result_that_is_no_list_fails_the_group(kind: str, reason: str, sentence: str, tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(before=give(kind), **FROM_BEFORE), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, list(group.runs)

    assert (status.state, status.total) == ("Failed", None)
    assert status.before
    assert status.before.reason == reason
    assert (status.before.message or "").startswith(sentence)
    assert len(runs) == 1


async def test_a_result_that_is_too_long_for_each_message_fails_the_group(tmp_path: Path) -> None:
    wanted = spec(before={**give("huge"), "prependResult": True}, items=[1, 2], template=ECHO)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.cancelled) == ("Failed", 2)
    assert status.before
    assert status.before.reason == Reason.RESULT_TOO_LARGE
    failed = next(condition for condition in status.conditions or () if condition.type == "Failed")
    assert (failed.status, failed.reason) == ("True", Reason.BEFORE_FAILED)


async def test_its_failure_is_the_groups(tmp_path: Path) -> None:
    wanted = spec(before={"task": "chains.fail"}, items=[1, 2], template=ECHO)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, list(group.runs)

    assert (status.state, status.cancelled) == ("Failed", 2)
    assert status.before
    assert (status.before.reason, status.before.message) == ("ValueError", "no such page")
    assert [run[0] for run in runs] == ["chains.fail"]


HELD = {"task": "chains.gate", "options": {"immutable": True}}
"""Keeps the worker until Celery has run the same."""


def by_celery(redis: RedisServer) -> list[Any]:
    """What `chain(task, group(…))` gives: a task, an immutable one, and a chain."""
    with celery_client(redis.url) as client:

        def echo(*args: Any, immutable: bool = False) -> Any:
            return signature("chains.echo", args=args, immutable=immutable, app=client)

        canvas = chain(
            signature("chains.give", args=("dict",), app=client),
            group(echo(1, 2), echo(3, immutable=True), chain(echo(4), echo(5), app=client), app=client),
            app=client,
        )
        results: list[Any] = canvas.apply_async(queue=PoolKeys("", UID).queue).get(timeout=PATIENCE)
    return results


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_it_is_prepended_as_in_celery_s_chain_with_a_group(version: str, tmp_path: Path) -> None:
    tasks = [
        {**ECHO, "args": [1, 2]},
        {**ECHO, "args": [3], "options": {"immutable": True}},
        {"chain": [{**ECHO, "args": [4]}, {**ECHO, "args": [5]}]},
        HELD,
    ]
    with redis_server() as redis:
        async with live_group(
            spec(before={**give("dict"), "prependResult": True}, tasks=tasks), redis, tmp_path, version
        ) as group:
            await eventually_async(lambda: _has_ended(group, 3), state=group.state)
            theirs = await asyncio.to_thread(by_celery, redis)
            (tmp_path / "open").touch()
            await group.finished()
            ours = await values(redis, [0, 1, unit_of(2, 1)])

    assert ours == theirs


async def _has_ended(group: LiveGroup, count: int) -> bool:
    return group.status.succeeded == count
