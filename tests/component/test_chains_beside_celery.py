"""The same chains by Celery's own group and by a TaskGroup, on one worker: results, order and errors are alike.

What differs is in DIFFERENT, and in docs/workers.md.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from celery import chain, group

from support.canvas import Step, entry
from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.chain_app import VALUES
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE, eventually, eventually_async
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.indexes import parse_indexes
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}


ECHO = Step("echo")
CANVASES: dict[str, tuple[Step, ...]] = {
    "one task": (Step("echo", (1,)),),
    "a chain of one": (Step("echo", (1,), (("k", 2),)),),
    "two": (Step("echo", (1,)), ECHO),
    "partial args": (Step("echo", (1,)), Step("echo", (2, 3)), Step("echo", (4,))),
    "kwargs": (Step("echo", (1,), (("a", 1),)), Step("echo", (), (("b", [None]),))),
    "immutable": (Step("echo", (1,)), Step("echo", (2,), immutable=True), Step("echo", (3,))),
    "immutable without args": (Step("echo", (1,)), Step("echo", immutable=True)),
    "first immutable": (Step("echo", (1,), immutable=True), ECHO),
    "retried": (Step("echo", (1,)), Step("flaky"), ECHO),
    "fails": (Step("fail"),),
    "fails by a class of the app": (Step("refuse"),),
    "gives up": (Step("stubborn", (2,)),),
    "first fails": (Step("fail"), ECHO),
    "fails in the middle": (Step("echo", (1,)), Step("fail"), ECHO),
    "last fails": (Step("echo", (1,)), Step("fail")),
    "gives up in a chain": (Step("echo", (1,), immutable=True), Step("stubborn", (2,), immutable=True), ECHO),
    **{f"returns {kind}": (Step("give", (kind,)), ECHO) for kind in VALUES if kind != "huge"},
    **{f"ends with {kind}": (Step("echo", (1,)), Step("give", (kind,), immutable=True)) for kind in ("none", "nan")},
}
HELD = Step("gate")
"""Keeps the worker until Celery's group has run, too."""
CHAINS_OF_ONE = {"a chain of one"}
NAMES = list(CANVASES)
DIFFERENT = {
    "first fails": "Step 1 of 2, chains.fail: ",
    "fails in the middle": "Step 2 of 3, chains.fail: ",
    "last fails": "Step 2 of 2, chains.fail: ",
    "gives up in a chain": "Step 2 of 3, chains.stubborn: ",
}
"""What a TaskGroup puts before the message of an exception: which step it was."""


def spec() -> TaskGroupSpec:
    tasks = [_entry(name, steps) for name, steps in CANVASES.items()]
    return TaskGroupSpec.model_validate({"tasks": [*tasks, HELD.ours()], "workers": WORKERS})


def _entry(name: str, steps: tuple[Step, ...]) -> dict[str, Any]:
    return {"chain": [steps[0].ours()]} if name in CHAINS_OF_ONE else entry(steps)


def by_celery(redis: RedisServer) -> dict[str, str]:
    """What each canvas of Celery's group came to, as text: NaN equals nothing."""
    with celery_client(redis.url) as client:
        canvases = [chain(*(step.theirs(client) for step in steps), app=client) for steps in CANVASES.values()]
        results = group(canvases, app=client).apply_async(queue=PoolKeys("", UID).queue).results
        ends = [(result.get(propagate=False, timeout=PATIENCE), result.status) for result in results]
    return {name: _text(status, value) for name, (value, status) in zip(NAMES, ends, strict=True)}


async def by_task_group(group: LiveGroup, redis: RedisServer) -> dict[str, str]:
    """The same of the items."""
    failures = {
        index: f"{failure.reason}: {failure.message}"
        for failure in group.status.failures or ()
        for index in parse_indexes(failure.indexes or "")
    }
    results = RedisResults(redis.url)
    ids = [task_id(UID, unit_of(index, len(steps) - 1)) for index, steps in enumerate(CANVASES.values())]
    stored = await results.values(ids)
    await results.close()
    succeeded = {index: one.value for index, one in enumerate(stored) if one is not None and index not in failures}
    ends = {index: f"FAILURE {text}" for index, text in failures.items()}
    ends |= {index: _text("SUCCESS", value) for index, value in succeeded.items()}
    return {NAMES[index]: text for index, text in ends.items()}


def _text(status: str, value: Any) -> str:
    if isinstance(value, Exception):
        return f"{status} {type(value).__name__}: {value}"
    return f"{status} {json.dumps(value)}"


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_a_chain_comes_to_what_celery_s_comes_to(version: str, tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(), redis, tmp_path, version) as group:

            async def only_the_gate() -> bool:
                return (group.status.succeeded or 0) + (group.status.failed or 0) == len(CANVASES)

            await eventually_async(only_the_gate, state=group.state)
            theirs = await asyncio.to_thread(by_celery, redis)
            (tmp_path / "open").touch()
            await group.finished()
            ours = await by_task_group(group, redis)

    assert ours == {name: _as_ours(name, text) for name, text in theirs.items()}


def _as_ours(name: str, text: str) -> str:
    """The message begins with the step behind the exception's class."""
    if name not in DIFFERENT:
        return text
    kind, message = text.split(": ", 1)
    return f"{kind}: {DIFFERENT[name]}{message}"


ENDS = [("5.3", "PENDING"), pytest.param("5.5", "PENDING", marks=pytest.mark.long), ("5.7", "FAILURE")]


@pytest.mark.parametrize(("version", "last"), ENDS)
async def test_a_step_that_cannot_take_the_result_before_it_ends_the_item(
    version: str, last: str, tmp_path: Path
) -> None:
    """Celery's worker fails to send it: the step before, which ran well, is a failure, and in older versions the chain
    never ends.
    """
    steps = (Step("echo", (1,)), Step("alone"))
    wanted = TaskGroupSpec.model_validate({"tasks": [entry(steps), HELD.ours()], "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.until(lambda: group.status.failed == 1)
            theirs = await asyncio.to_thread(left_by_celery, steps, redis)
            (tmp_path / "open").touch()
            await group.finished()
            status, runs = group.status, [run[0] for run in group.runs]

    assert status.failures
    [failure] = status.failures
    assert (failure.reason, failure.indexes) == ("TypeError", "0")
    assert str(failure.message).startswith("Step 2 of 2, chains.alone: ")
    assert theirs == ["FAILURE", last]
    assert "chains.alone" not in runs


def left_by_celery(steps: tuple[Step, ...], redis: RedisServer) -> list[str]:
    """The states of the steps of its chain, when no message of them is on any queue or in any worker."""
    with celery_client(redis.url) as client:
        last = chain(*(step.theirs(client) for step in steps), app=client).apply_async(queue=PoolKeys("", UID).queue)
        last.parent.get(propagate=False, timeout=PATIENCE)
        eventually(lambda: not is_anywhere(redis, last.parent.id, last.id))
        return [last.parent.status, last.status]


def is_anywhere(redis: RedisServer, *ids: str) -> bool:
    """Whether a message of one of them waits on the queue, or is held by a worker."""
    keys = PoolKeys("", UID)
    with redis.client() as client:
        raw: list[Any] = [text for name in keys.lists for text in client.lrange(name, 0, -1)]
        raw += [text for name in client.scan_iter(f"{keys.unacked('')}*") for text in client.hvals(name)]
    return any(name.encode() in text for name in ids for text in raw)
