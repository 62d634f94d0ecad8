"""Chains on stock workers of each version: each step gets the result before it, and an item ends with its last step.

Real Redis and Celery, the operator's own loops.
"""

from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import eventually_async
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

ITEMS = 20
WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 4, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}


def chain(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"chain": list(tasks)}


def name(index: int, step: int) -> str:
    return task_id(UID, unit_of(index, step))


def runs(group: LiveGroup, index: int) -> list[str]:
    """The tasks that ran for an item, in their order."""
    prefixes = (f"{UID}.{index}", f"{UID}.{index}.")
    return [run[0] for run in group.runs if run[1] == prefixes[0] or run[1].startswith(prefixes[1])]


async def values(redis: RedisServer, ids: list[str]) -> list[Any]:
    results = RedisResults(redis.url)
    try:
        return [stored.value if stored else None for stored in await results.values(ids)]
    finally:
        await results.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_step_gets_the_result_before_it(version: str, tmp_path: Path) -> None:
    template = chain(
        {**ECHO, "args": ["$(item)"]},
        {**ECHO, "args": ["b"], "kwargs": {"index": "$(index)"}},
        {"task": "chains.describe", "args": ["c"]},
    )
    spec = TaskGroupSpec.model_validate({"sequence": {"count": ITEMS}, "template": template, "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(spec, redis, tmp_path, version) as group:
            await group.finished()
            assert (group.status.state, group.status.succeeded) == ("Complete", ITEMS), group.state()
            found = await values(redis, [name(index, 2) for index in range(ITEMS)])

            async def only_last() -> bool:
                before = [name(index, step) for index in range(ITEMS) for step in range(2)]
                return set(await values(redis, before)) == {None}

            await eventually_async(only_last, state=group.state)
            ids = [run[1] for run in group.runs]

    for index, value in enumerate(found):
        second = [[[[index], {}], "b"], {"index": index}]
        assert value == {"args": [second, "c"], "id": name(index, 2), "parent": name(index, 1)}
    assert sorted(ids) == sorted(name(index, step) for index in range(ITEMS) for step in range(3))


TASKS = [
    chain({**ECHO, "args": [1]}, {**ECHO, "args": ["own"], "options": {"immutable": True}}, ECHO),
    chain({**ECHO, "args": [1]}, {"task": "chains.fail"}, ECHO),
    chain({**ECHO, "args": [1]}, {"task": "chains.flaky"}, ECHO),
    chain({**ECHO, "args": [1]}, {"task": "chains.absent"}, ECHO),
    {**ECHO, "args": [1]},
]
IMMUTABLE, FAILS, RETRIES, UNKNOWN, SINGLE = range(len(TASKS))


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_a_chain_ends_with_the_step_that_ends_it(version: str, tmp_path: Path) -> None:
    # One process: Celery may store RETRY over the SUCCESS of a retry that another process runs at the same time.
    workers = WORKERS | {"concurrency": 1}
    spec = TaskGroupSpec.model_validate({"tasks": TASKS, "workers": workers, "onUnknownTask": "FailItem"})
    with redis_server() as redis:
        async with live_group(spec, redis, tmp_path, version) as group:
            await group.finished()
            found = await values(redis, [name(IMMUTABLE, 2), name(RETRIES, 2), name(SINGLE, 0), name(FAILS, 0)])
            ran = {index: runs(group, index) for index in range(len(TASKS))}
            failures = {failure.indexes: failure for failure in group.status.failures or ()}

    assert found == [
        [[[["own"], {}]], {}],
        [[[[[1], {}], 1]], {}],
        [[1], {}],
        [[1], {}],
    ], "the value of a step before a failed one is kept"
    assert ran[FAILS] == ["chains.echo", "chains.fail"]
    assert ran[RETRIES] == ["chains.echo", "chains.flaky", "chains.flaky", "chains.echo"]
    assert ran[UNKNOWN] == ["chains.echo"]
    said = {(index, failure.reason, failure.message) for index, failure in failures.items()}
    assert said == {
        (str(FAILS), "ValueError", "Step 2 of 3, chains.fail: no such page"),
        (
            str(UNKNOWN),
            "NotRegistered",
            "Step 2 of 3, chains.absent: No worker knows the task 'chains.absent'.",
        ),
    }


async def test_a_result_that_is_too_large_for_the_next_message_ends_the_item(tmp_path: Path) -> None:
    tasks = [chain({"task": "chains.give", "args": ["huge"]}, ECHO), chain({**ECHO, "args": [2]}, ECHO)]
    spec = TaskGroupSpec.model_validate({"tasks": tasks, "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(spec, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            [failure] = group.status.failures or []
            ran = runs(group, 0)

    assert (failure.indexes, failure.reason) == ("0", Reason.RESULT_TOO_LARGE)
    assert failure.message is not None
    assert failure.message.startswith("Step 2 of 2, chains.echo: The result of chains.give makes a message of ")
    assert ran == ["chains.give"]
