"""An error that nobody foresaw, in one of the two loops: it is shown and tried again, and the other loop goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.builders import said, spec
from support.one_loop import run
from support.world import World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.status.conditions import find


def stepped(world: World) -> float:
    """One step of the group's loop, as `run` does it."""
    operator = world.operator
    return run(operator.groups._step(world.body, operator.meeting, operator.following))  # noqa: SLF001


def broken(*_: Any, **__: Any) -> Any:
    raise KeyError("redis://user:password@redis/0")


def test_a_bug_in_the_groups_loop_is_shown_and_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended both loops, and kopf started them again at once, without a word to the group's owner."""
    world = World(spec(4))
    world.look()
    world.now += 1.5
    monkeypatch.setattr("taskgroup.groups.loop.reconcile", broken)
    with caplog.at_level(logging.ERROR):
        waits = [stepped(world) for _ in range(4)]

    assert waits == sorted(waits)
    assert waits[-1] > waits[0], "not at full speed"
    assert said(world.status, ConditionType.READY) == ("False", Reason.OPERATOR_HINDERED)
    shown = find(world.status, ConditionType.READY)
    assert shown is not None
    assert "an error of its own (KeyError)" in shown.message
    assert "password" not in shown.message
    assert "Traceback" in caplog.text

    monkeypatch.undo()
    for _ in range(3):
        world.now += 1.5
        stepped(world)
    assert said(world.status, ConditionType.READY)[1] != Reason.OPERATOR_HINDERED


def test_a_bug_in_the_pools_loop_is_shown_and_the_group_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(spec(4))
    for _ in range(3):
        world.now += 1.5
        world.look()
    operator, assignment = world.operator, world.operator.meeting.assignment
    assert assignment is not None
    monkeypatch.setattr("taskgroup.pools.loop.reconcile_pool", broken)
    step: Callable[..., Awaitable[float]] = operator.pools._step  # noqa: SLF001
    waits = [run(_awaited(step(assignment, operator.meeting, operator.pool_following))) for _ in range(3)]
    world.now += 1.5
    world.look(pool=False)

    assert waits[0] < waits[-1]
    assert said(world.status, ConditionType.WORKERS_READY) == ("False", Reason.OPERATOR_HINDERED)


async def _awaited(step: Awaitable[float]) -> float:
    return await step


def test_both_loops_outlive_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    world, looks = World(spec(4)), 0

    def is_stopped() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    async def wait(*_: Any) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("taskgroup.groups.loop.reconcile", broken)
    monkeypatch.setattr("taskgroup.loops.wakeups.Wakeup.wait", wait)
    run(world.operator.groups.run(world.body, is_stopped))

    assert looks == 4, "it went on until it was told to stop"
