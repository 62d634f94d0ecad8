"""The same chords by Celery's own canvas and by a TaskGroup, on one worker: what the body is called with, and when not.

What differs is in DIFFERENT, and in docs/workers.md.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chain, chord
from celery.exceptions import ChordError

from support.canvas import Step, chains_of, entry, group_of
from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
GATE = {"task": "chains.gate", "options": {"immutable": True}}
"""Behind the body: it keeps the worker until Celery's chord has run, too."""
ECHO = Step("echo")


@dataclass(frozen=True, slots=True)
class Canvas:
    """A header of chains, a body behind it, and perhaps a task before both."""

    header: tuple[Any, ...]
    """Chains of steps; a tuple of such is a group inside the group."""
    body: tuple[Step, ...] = (ECHO,)
    before: Step | None = None
    in_a_chain: bool = False
    """Celery gets no chord, but a chain in which the header is followed by the body."""

    def ours(self) -> TaskGroupSpec:
        """As a TaskGroup."""
        tasks = [entry(steps) for steps in chains_of(self.header)]
        told = "None" if self.body[0].immutable else "Results"
        callback = {"chain": [*(step.ours() for step in self.body), GATE], "input": told}
        before = {"before": {**self.before.ours(), "prependResult": True}} if self.before else {}
        return TaskGroupSpec.model_validate({"tasks": tasks, "callback": callback, "workers": WORKERS, **before})

    def theirs(self, client: Celery) -> Any:
        """As Celery writes it; a chain makes a chord of a group of several that is followed by a task."""
        body = chain(*(step.theirs(client) for step in self.body), app=client)
        header = group_of(self.header, client)
        if self.before:
            return chain(self.before.theirs(client), header, body, app=client)
        return chain(header, body, app=client) if self.in_a_chain else chord(header, body)


def echo(*args: Any, immutable: bool = False) -> Step:
    return Step("echo", args, immutable=immutable)


CANVASES: dict[str, Canvas] = {
    "tasks": Canvas(((echo(1),), (echo(2),), (echo(3),))),
    "chains": Canvas(((echo(1), echo(2)), (echo(3), ECHO, ECHO))),
    "a body with arguments of its own": Canvas(((echo(1),), (echo(2),)), (echo("more"),)),
    "an immutable body": Canvas(((echo(1),), (echo(2),)), (echo("alone", immutable=True),)),
    "a chain as the body": Canvas(((echo(1),), (echo(2),)), (echo(7), echo(8))),
    "a task before the header": Canvas(((echo(1),), (echo(2, immutable=True),)), before=echo(0)),
    "a group inside the group": Canvas((((echo(1),), (echo(2),)), (echo(3),))),
    "one task in the header": Canvas(((echo(1),),)),
    "a group of several in a chain": Canvas(((echo(1),), (echo(2),)), in_a_chain=True),
    "a group of one in a chain": Canvas(((echo(1),),), in_a_chain=True),
    "a group of one between two tasks": Canvas(((echo(1),),), before=echo(0)),
}


def _sorted(theirs: Any) -> Any:
    """Celery counts the tasks of the inner group by themselves, so that its results have no certain place."""
    [[results], kwargs] = theirs
    return [[sorted(results)], kwargs]


def _as_a_list(theirs: Any) -> Any:
    """Celery unrolls a group of one inside a chain: it becomes a plain step, whose value the body gets."""
    [[value], kwargs] = theirs
    return [[[value]], kwargs]


DIFFERENT: dict[str, Callable[[Any], Any]] = {
    "a group inside the group": _sorted,
    "a group of one in a chain": _as_a_list,
    "a group of one between two tasks": _as_a_list,
}
"""What Celery's body returned, as ours does."""


def by_celery(canvas: Canvas, redis: RedisServer) -> Any:
    """What the last task of the body returned, or its exception."""
    with celery_client(redis.url) as client:
        sent = canvas.theirs(client).apply_async(queue=PoolKeys("", UID).queue)
        return sent.get(propagate=False, timeout=PATIENCE)


async def returned(canvas: Canvas, redis: RedisServer) -> Any:
    """What the last task of our body returned; None while it has not."""
    results = RedisResults(redis.url)
    [stored] = await results.values([task_id(UID, stage_unit(Stage.CALLBACK, len(canvas.body) - 1))])
    await results.close()
    return stored.value if stored else None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CANVASES)
async def test_the_body_is_called_with_what_celery_calls_it_with(name: str, version: str, tmp_path: Path) -> None:
    canvas = CANVASES[name]
    with redis_server() as redis:
        async with live_group(canvas.ours(), redis, tmp_path, version) as running:
            await running.until(lambda: any(run[0] == "chains.gate" for run in running.runs))
            theirs, ours = await asyncio.to_thread(by_celery, canvas, redis), await returned(canvas, redis)
            (tmp_path / "open").touch()
            await running.finished()
            assert running.status.state == "Complete"

    assert json.dumps(ours) == json.dumps(DIFFERENT.get(name, lambda value: value)(theirs))


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_body_runs_behind_a_failure(version: str, tmp_path: Path) -> None:
    canvas = Canvas(((echo(1),), (Step("fail"),)))
    held = Canvas(((echo(1),),))
    with redis_server() as redis:
        async with live_group(canvas.ours(), redis, tmp_path, version) as failed:
            await failed.finished()
    with redis_server() as redis:
        async with live_group(held.ours(), redis, tmp_path, version) as running:
            await running.until(lambda: any(run[0] == "chains.gate" for run in running.runs))
            theirs = await asyncio.to_thread(by_celery, canvas, redis)
            (tmp_path / "open").touch()
            await running.finished()

    reasons = {condition.type: condition.reason for condition in failed.status.conditions or ()}
    assert reasons["Failed"] == Reason.FAILED_INDEXES
    assert failed.status.callback
    assert failed.status.callback.state is StageState.CANCELLED
    assert isinstance(theirs, ChordError)
    assert "no such page" in str(theirs)
