"""Where a group and its pool meet: what one leaves there wakes the other, and only when there is something to do."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from taskgroup.api.backend import Backend, TransportOptions
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.workers import Workers
from taskgroup.connections.shared import Address
from taskgroup.core.exchange import Demand, View
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.loops.meeting import Assignment, Meeting, Meetings
from taskgroup.loops.wakeups import Wakeup

META = Meta(uid="u", name="thumbnails", namespace="shop")
BACKEND = Backend(secret_key_ref=SecretKeyRef(name="redis"))
WORKERS = Workers.model_validate({"image": "shop:1", "app": "shop", "maxReplicas": 4, "concurrency": 2})
SPEC = PoolSpec(
    workers=WORKERS,
    broker=BACKEND,
    results=BACKEND,
    queue="taskgroup-u",
    unacked_options={},
    grace_seconds=60,
    backend_hash="abc",
)
URL = "redis://redis:6379/0"
ADDRESS = Address(URL, URL, TransportOptions(), TransportOptions())
TOLD = Assignment(META, SPEC, ADDRESS, Demand(items=6))
"""Three pods."""


async def is_woken(wakeup: Wakeup) -> bool:
    """Whether a loop that waits would go on; the wake-up is used up by it."""
    waiting = asyncio.create_task(wakeup.wait(60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    woken = waiting.done()
    waiting.cancel()
    wakeup.clear()
    return woken


async def woken(meeting: Meeting) -> tuple[bool, bool]:
    """The group, and the pool."""
    return await is_woken(meeting.group), await is_woken(meeting.pool)


async def told(assignment: Assignment = TOLD) -> Meeting:
    """A meeting whose pool has looked at what it was told."""
    meeting = Meeting()
    meeting.tell(assignment)
    assert await woken(meeting) == (False, True)
    return meeting


async def test_nobody_is_woken_before_anything_was_said() -> None:
    assert await woken(Meeting()) == (False, False)


async def test_the_first_word_of_the_group_wakes_the_pool() -> None:
    meeting = await told()

    assert meeting.assignment == TOLD


async def test_the_same_word_wakes_nobody() -> None:
    meeting = await told()
    meeting.tell(replace(TOLD))

    assert await woken(meeting) == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"meta": replace(META, generation=2)},
        {"spec": None},
        {"spec": replace(SPEC, backend_hash="def")},
        {"address": None},
        {"address": replace(ADDRESS, broker_url="redis://other:6379/0")},
    ],
)
async def test_another_pool_wakes_it(change: dict[str, Any]) -> None:
    meeting = await told()
    meeting.tell(replace(TOLD, **change))

    assert meeting.assignment == replace(TOLD, **change)
    assert await woken(meeting) == (False, True)


@pytest.mark.parametrize(
    ("demand", "is_news"),
    [
        (Demand(items=6, reason="Another one."), False),
        (Demand(items=5), False),
        (Demand(items=4), True),
        (Demand(items=7), True),
        (Demand(items=0), True),
        (Demand(items=6, ended=True), True),
        (Demand(items=6, leftovers=True), True),
        (Demand(items=6, give_back=False), True),
    ],
)
async def test_a_demand_wakes_the_pool_when_it_changes_pods_or_rules(demand: Demand, is_news: bool) -> None:
    meeting = await told()
    meeting.tell(replace(TOLD, demand=demand))

    assert await woken(meeting) == (False, is_news)
    assert meeting.assignment
    assert meeting.assignment.demand == demand


async def test_more_items_than_all_pods_run_change_nothing() -> None:
    meeting = await told(replace(TOLD, demand=Demand(items=100)))
    meeting.tell(replace(TOLD, demand=Demand(items=99)))

    assert await woken(meeting) == (False, False)


async def test_without_a_demand_the_pool_keeps_the_former_one() -> None:
    meeting = await told()
    meeting.tell(replace(TOLD, demand=None))
    assert meeting.assignment == TOLD
    assert await woken(meeting) == (False, False)

    meeting.tell(replace(TOLD, address=None, demand=None))
    assert meeting.assignment == replace(TOLD, address=None)
    assert await woken(meeting) == (False, True)


async def test_the_first_demand_wakes_the_pool_whatever_it_is() -> None:
    meeting = await told(replace(TOLD, demand=None))
    meeting.tell(replace(TOLD, demand=None))
    assert meeting.assignment == replace(TOLD, demand=None)
    assert await woken(meeting) == (False, False)

    meeting.tell(replace(TOLD, demand=Demand()))
    assert await woken(meeting) == (False, True)


async def test_another_view_wakes_the_group() -> None:
    meeting = Meeting()
    meeting.workers_changed = False
    for view, is_news in ((View(), True), (View(), False), (View(ready=1), True), (View(), True)):
        meeting.show(view)
        assert meeting.view == view
        assert await woken(meeting) == (is_news, False)


async def test_a_change_of_the_workers_wakes_the_pool() -> None:
    meeting = Meeting()
    assert meeting.workers_changed, "nothing was read yet"
    meeting.workers_changed = False
    meeting.change_workers()

    assert meeting.workers_changed
    assert await woken(meeting) == (False, True)


async def test_a_view_from_before_a_change_is_not_current() -> None:
    meeting = Meeting()
    meeting.workers_changed = False
    meeting.show(View(ready=1))
    meeting.change_workers()
    assert meeting.view == View(ready=1, current=False)

    meeting.show(View(ready=1))
    assert meeting.view == View(ready=1, current=False), "it was read before"
    meeting.workers_changed = False
    meeting.show(View(ready=1))
    assert meeting.view == View(ready=1)


async def test_every_group_has_its_own_meeting_until_it_is_gone() -> None:
    meetings = Meetings()
    assert meetings.find("u") is None
    meeting = meetings.of("u")

    assert meetings.of("u") is meetings.find("u") is meeting
    assert meetings.of("v") is not meeting
    meetings.drop("u")
    meetings.drop("u")
    assert meetings.find("u") is None
    assert meetings.of("u") is not meeting
