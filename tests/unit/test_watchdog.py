"""A step that holds the event loop is named while it does."""

import asyncio
import logging
import time

import pytest

from taskgroup.loops.watchdog import Watchdog

LOG = logging.getLogger("taskgroup.test")


async def hold(until: float) -> None:
    while time.monotonic() < until:
        sum(range(1_000))


async def test_the_task_that_holds_the_loop_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody could tell which of a thousand groups kept all others waiting."""
    watchdog = asyncio.create_task(Watchdog(LOG, held_seconds=0.5).run())
    await asyncio.sleep(0)
    await asyncio.create_task(hold(time.monotonic() + 3), name="group=shop/thumbnails")
    watchdog.cancel()

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "task 'group=shop/thumbnails', in hold (unit/test_watchdog.py:" in said[0]


async def test_a_loop_that_goes_on_is_not_complained_about(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = asyncio.create_task(Watchdog(LOG, held_seconds=60).run())
    for _ in range(10):
        await asyncio.create_task(hold(time.monotonic() + 0.05))
    watchdog.cancel()

    assert caplog.records == []
