"""What runs once for an item, on stock workers: told what Celery's own link and link_error are told, and followed.

Real Redis and Celery, the operator's own loops. What differs from Celery is in docs/stages.md.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chain, group, signature

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE, eventually_async
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import HooksStatus
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.hooks import Hook, hook_unit
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
TELL = {"task": "chains.tell"}
GATE = {"task": "chains.gate", "options": {"immutable": True}}
Canvas = tuple[tuple[str, tuple[Any, ...]], ...]
CANVASES: dict[str, Canvas] = {
    "task": (("echo", (1,)),),
    "none": (("give", ("none",)),),
    "chain": (("echo", (1,)), ("echo", (2,))),
    "retried": (("flaky", (3,)),),
    "failure": (("fail", ()),),
    "first step fails": (("fail", ()), ("echo", ())),
    "step fails": (("echo", (1,)), ("fail", ()), ("echo", ())),
    "last step fails": (("echo", (1,)), ("fail", ())),
}
FAILING = {"failure": 0, "first step fails": 0, "step fails": 1, "last step fails": 1}
"""Which step of them does."""
NAMES = list(CANVASES)


def spec(*names: str, **fields: Any) -> TaskGroupSpec:
    tasks = [_ours(CANVASES[name]) for name in names]
    return TaskGroupSpec.model_validate({"tasks": tasks, "workers": WORKERS, **fields})


def _ours(canvas: Canvas) -> dict[str, Any]:
    steps = [{"task": f"chains.{task}", "args": [*args]} for task, args in canvas]
    return steps[0] if len(steps) == 1 else {"chain": steps}


def told(folder: Path) -> dict[str, list[Any]]:
    """Id of each task that told something, and its arguments."""
    path = folder / "told"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    assert len({line[0] for line in lines}) == len(lines), "told twice"
    return {name: args for name, *args in lines}


def by_celery(redis: RedisServer, *extra: Any) -> dict[str, str]:
    """The canvases as Celery's own, with links; name of each to the id that Celery gave its failing step, if any."""
    with celery_client(redis.url) as client:
        canvases = [with_links(client, name, *extra) for name in CANVASES]
        for result in group(canvases, app=client).apply_async(queue=PoolKeys("", UID).queue).results:
            result.get(propagate=False, timeout=PATIENCE)
    return {name: f"{name}-{step}" for name, step in FAILING.items()}


def with_links(client: Celery, name: str, *extra: Any) -> Any:
    steps = [signature(f"chains.{task}", args=args, app=client) for task, args in CANVASES[name]]
    for step, one in enumerate(steps):
        one.set(task_id=f"{name}-{step}")
        one.link_error(signature("chains.tell_id", app=client))
    steps[-1].link(signature("chains.tell", args=extra, app=client).set(task_id=f"link-{name}"))
    return chain(*steps, app=client) if len(steps) > 1 else steps[0]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_hooks_are_told_what_links_are_told(version: str, tmp_path: Path) -> None:
    hooks = {"onItemSuccess": {**TELL, "args": ["more"]}, "onItemFailure": TELL}
    with redis_server() as redis:
        async with live_group(spec(*NAMES, **hooks), redis, tmp_path, version) as ours:
            await ours.finished()
            status, by_us = ours.status, told(tmp_path)
            assert (status.succeeded, status.failed) == (len(NAMES) - len(FAILING), len(FAILING))
            assert status.on_item_success == HooksStatus(succeeded=len(NAMES) - len(FAILING))
            assert status.on_item_failure == HooksStatus(succeeded=len(FAILING))
    (tmp_path / "told").unlink()
    # A group whose hook waits keeps the worker on which Celery's own group runs.
    with redis_server() as redis:
        async with live_group(spec("task", onItemSuccess=GATE), redis, tmp_path, version) as worker:
            await worker.until(lambda: any(run[0] == "chains.gate" for run in worker.runs))
            failing = await asyncio.to_thread(by_celery, redis, "more")
            await worker.until(lambda: len(told(tmp_path)) == len(NAMES))
            by_them = told(tmp_path)
            (tmp_path / "open").touch()
            await worker.finished()

    for index, name in enumerate(NAMES):
        if name in FAILING:
            hook = task_id(UID, hook_unit(Hook.ON_ITEM_FAILURE, index))
            step = task_id(UID, unit_of(index, FAILING[name]))
            assert by_us[hook][:2] == [step, index]
            assert by_us[hook][2]["reason"] == "ValueError"
            assert by_us[hook][2]["message"].endswith("no such page")
            assert [failing[name]] in by_them.values(), "an errback gets the id alone"
        else:
            hook = task_id(UID, hook_unit(Hook.ON_ITEM_SUCCESS, index))
            assert by_us[hook] == by_them[f"link-{name}"]
    assert len(by_us) == len(NAMES)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_immutable_hook_is_told_nothing_and_its_failure_changes_nothing(version: str, tmp_path: Path) -> None:
    hooks = {
        "onItemSuccess": {"task": "chains.fail", "options": {"immutable": True}},
        "onItemFailure": {**TELL, "args": ["$(index)", "$(group.name)"], "options": {"immutable": True}},
    }
    with redis_server() as redis:
        async with live_group(spec("task", "failure", **hooks), redis, tmp_path, version) as ours:
            await ours.finished()
            status = ours.status

    assert (status.state, status.succeeded, status.failed) == ("Failed", 1, 1)
    assert status.on_item_success == HooksStatus(failed=1)
    assert status.on_item_failure == HooksStatus(succeeded=1)
    assert told(tmp_path) == {task_id(UID, hook_unit(Hook.ON_ITEM_FAILURE, 1)): [1, "live"]}


async def test_the_value_of_a_task_that_ignores_its_result_is_kept_for_its_hook(tmp_path: Path) -> None:
    task = {"task": "chains.echo", "args": [1], "options": {"ignoreResult": True}}
    with redis_server() as redis:
        async with live_group(spec("task", tasks=[task], onItemSuccess=TELL), redis, tmp_path, VERSIONS[-1]) as ours:
            await ours.finished()
            assert told(tmp_path) == {task_id(UID, hook_unit(Hook.ON_ITEM_SUCCESS, 0)): [[[1], {}]]}
            await _is_gone(redis, task_id(UID, 0), ours)


async def _is_gone(redis: RedisServer, name: str, ours: LiveGroup) -> None:
    results = RedisResults(redis.url)

    async def gone() -> bool:
        return await results.values([name]) == [None]

    await eventually_async(gone, state=ours.state)
    await results.close()
