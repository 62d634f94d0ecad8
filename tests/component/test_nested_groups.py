"""Groups inside of groups by Celery's own canvas and by a TaskGroup, on one worker: values, their order, and errors.

Both run every task, and have one list of ends, in the order in which the tasks are written, whatever the nesting.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from support.canvas import Step, chains_of, entry, group_of
from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.indexes import parse_indexes
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
GATE = {"task": "chains.gate", "options": {"immutable": True}}
"""Runs at the end, whichever it is: it keeps the worker until Celery's group has run, too."""
AT_THE_END = {"callback": GATE | {"input": "None"}, "onFailure": GATE}
ITEM = "$(item)"


@dataclass(frozen=True, slots=True)
class Canvas:
    """Chains of steps; a tuple of such is a group inside the group."""

    parts: tuple[Any, ...]
    items: tuple[str, ...] = ()
    """The parts are a group for each of these."""

    def ours(self) -> TaskGroupSpec:
        """As a TaskGroup: a group for each item, or a plain list."""
        entries = [entry(steps) for steps in chains_of(self.parts)]
        work = {"items": [*self.items], "template": {"group": entries}} if self.items else {"tasks": entries}
        return TaskGroupSpec.model_validate({**work, **AT_THE_END, "workers": WORKERS})

    @property
    def written_out(self) -> tuple[Any, ...]:
        """With a group for each item, as Celery has to be told."""
        return tuple(_filled(self.parts, item) for item in self.items) or self.parts

    @property
    def units(self) -> list[int]:
        """The last step of each index."""
        return [unit_of(index, len(steps) - 1) for index, steps in enumerate(chains_of(self.written_out))]


def _filled(part: Any, item: str) -> Any:
    if isinstance(part, Step):
        return replace(part, args=tuple(item if arg == ITEM else arg for arg in part.args))
    return tuple(_filled(inner, item) for inner in part)


def echo(*args: Any) -> Step:
    return Step("echo", args)


ONE, TWO, THREE, FOUR = ((echo(number),) for number in (1, 2, 3, 4))
FAIL = (Step("fail"),)
CANVASES = {
    "a group for each item": Canvas(((echo(ITEM, "left"),), (echo(ITEM), echo("right"))), ("a", "b", "c")),
    "a group that fails in part for each item": Canvas(((echo(ITEM),), FAIL, (echo(ITEM, 2),)), ("a", "b")),
    "a group in a group": Canvas(((ONE, TWO),)),
    "groups between tasks": Canvas((ONE, (TWO, (echo(5), echo(6))), THREE, (FOUR,))),
    "three deep, and failures in it": Canvas((ONE, ((TWO, (FAIL, THREE)), FOUR), (echo(7), Step("refuse")))),
}
STEPS = {"three deep, and failures in it": {5: "Step 2 of 2, chains.refuse: "}}
"""What a TaskGroup puts before the message of an exception: which step of a chain it was."""


def by_celery(canvas: Canvas, redis: RedisServer) -> list[str]:
    """What each task came to, in the order of Celery's own results."""
    with celery_client(redis.url) as client:
        sent = group_of(canvas.written_out, client).apply_async(queue=PoolKeys("", UID).queue)
        return [_text(result.get(propagate=False, timeout=PATIENCE)) for result in sent.results]


def _text(value: Any) -> str:
    return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else json.dumps(value)


async def by_task_group(canvas: Canvas, group: LiveGroup, redis: RedisServer) -> list[str]:
    """The same of each index."""
    results = RedisResults(redis.url)
    stored = await results.values([task_id(UID, unit) for unit in canvas.units])
    await results.close()
    ends = [json.dumps(one.value) if one else "" for one in stored]
    for failure in group.status.failures or ():
        for index in parse_indexes(failure.indexes or ""):
            ends[index] = f"{failure.reason}: {failure.message}"
    return ends


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CANVASES)
async def test_every_task_comes_to_what_it_comes_to_in_celery_s_nested_groups(
    name: str, version: str, tmp_path: Path
) -> None:
    canvas = CANVASES[name]
    with redis_server() as redis:
        async with live_group(canvas.ours(), redis, tmp_path, version) as running:
            await running.until(lambda: any(run[0] == "chains.gate" for run in running.runs))
            theirs = await asyncio.to_thread(by_celery, canvas, redis)
            ours = await by_task_group(canvas, running, redis)
            (tmp_path / "open").touch()
            await running.finished()

    assert ours == [_with_step(end, STEPS.get(name, {}).get(index, "")) for index, end in enumerate(theirs)]


def _with_step(end: str, step: str) -> str:
    kind, _, message = end.partition(": ")
    return f"{kind}: {step}{message}" if step else end
