"""What every broker must do, held against Redis with kombu as its worker, and against the one that the world of the
property tests runs on: a story that holds in memory then means something for Redis.
"""

import pytest
from pyroaring import BitMap, FrozenBitMap

from support.contract import Harness
from support.contract_steps import FENCE, ROUTE, UID, messages, opened, queued, requeue, taken
from support.contract_steps import each_broker as each_broker
from taskgroup.broker.port import Opening, Owner, UnitMessage
from taskgroup.core.groups.observed import Fence
from taskgroup.core.hooks import EVERY_STEP, Hook, hook_unit
from taskgroup.core.indexes import NONE, full
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units, unit_of, units_of


async def test_books_are_opened_once(broker: Harness) -> None:
    assert (await broker.groups.observe(ROUTE, [])).state is None
    opening = Opening(nonce="n", cursors={0: 3}, attempts={1: 2}, returned=FrozenBitMap([0, 2]))
    state = await broker.groups.open(ROUTE, opening)
    again = await broker.groups.open(ROUTE, Opening(nonce="m"))

    assert (state.nonce, state.epoch, dict(state.cursors)) == ("n", 1, {0: 3})
    assert again == state == (await broker.groups.observe(ROUTE, [])).state
    books = await broker.groups.books(UID)
    assert (set(books.returned), dict(books.attempts), dict(books.losses)) == ({0, 2}, {1: 2}, {})


async def test_outdated_books_are_replaced_with_what_is_queued(broker: Harness) -> None:
    await opened(broker, 3)
    state = await broker.groups.open(ROUTE, Opening(nonce="m", instead_of="n"))

    assert (state.nonce, state.epoch, dict(state.cursors)) == ("m", 1, {})
    assert await queued(broker) == (0, {})


async def test_a_dispatch_happens_once(broker: Harness) -> None:
    await opened(broker)
    batch = messages(broker, range(3))
    assert await broker.groups.dispatch(ROUTE, FENCE, 0, 0, batch)
    assert not await broker.groups.dispatch(ROUTE, FENCE, 0, 0, batch)
    assert not await broker.groups.dispatch(ROUTE, FENCE, 0, 4, batch)

    state = (await broker.groups.observe(ROUTE, [])).state
    assert state
    assert dict(state.cursors) == {0: 3}
    assert taken(broker, "a", 5) == [task_id(UID, index) for index in range(3)]


@pytest.mark.parametrize("fence", [Fence("m", 1), Fence("n", 2), Fence("deleted", 1)])
async def test_another_fence_changes_nothing(broker: Harness, fence: Fence) -> None:
    await opened(broker, 2)
    entries = [UnitMessage(0, 0, messages(broker, [0])[0])]

    assert not await broker.groups.dispatch(ROUTE, fence, 0, 2, messages(broker, [2]))
    assert not await broker.groups.redispatch(ROUTE, fence, entries)
    assert await broker.groups.withdraw(ROUTE, fence, ["a"], running=True) is None
    assert await broker.groups.renew(UID, fence, [0]) is None
    assert not await broker.groups.mark_missing(UID, fence, [0])
    assert await queued(broker) == (2, {})
    assert not (await broker.groups.books(UID)).returned


async def test_urgent_messages_come_first(broker: Harness) -> None:
    await opened(broker)
    for priority in (0, 5, 9):
        batch = messages(broker, [priority], priority=priority)
        assert await broker.groups.dispatch(ROUTE, FENCE, priority, 0, batch)

    assert taken(broker, "a", 3) == [task_id(UID, index) for index in (9, 5, 0)]


async def test_a_withdrawal_fences_the_former_epoch(broker: Harness) -> None:
    await opened(broker, 4)
    taken(broker, "a", 1)
    withdrawn = await broker.groups.withdraw(ROUTE, FENCE, ["a"], running=False)

    assert withdrawn
    assert (withdrawn.fence, set(withdrawn.queued), set(withdrawn.running)) == (Fence("n", 2), {1, 2, 3}, set())
    assert await queued(broker, "a") == (0, {"a": 1})
    assert set((await broker.groups.books(UID)).returned) == {1, 2, 3}
    assert not await broker.groups.dispatch(ROUTE, FENCE, 0, 4, messages(broker, [4]))


async def test_at_the_end_everything_is_withdrawn(broker: Harness) -> None:
    await opened(broker, 3)
    taken(broker, "a", 1)
    withdrawn = await broker.groups.withdraw(ROUTE, FENCE, ["a"], running=True)

    assert withdrawn
    assert (set(withdrawn.queued), set(withdrawn.running)) == ({1, 2}, {0})
    assert await queued(broker, "a") == (0, {"a": 0})


async def test_only_what_was_returned_is_dispatched_again_and_once(broker: Harness) -> None:
    await opened(broker, 2)
    withdrawn = await broker.groups.withdraw(ROUTE, FENCE, [], running=False)
    assert withdrawn
    entries = [UnitMessage(index, 0, message) for index, message in zip([1, 9], messages(broker, [1, 9]), strict=True)]

    assert await broker.groups.redispatch(ROUTE, withdrawn.fence, entries) == BitMap([1])
    assert await broker.groups.redispatch(ROUTE, withdrawn.fence, entries) == BitMap()
    assert taken(broker, "a", 3) == [task_id(UID, 1)]


async def test_a_renewed_item_has_a_new_id_and_the_old_one_is_superseded(broker: Harness) -> None:
    await opened(broker, 1)
    taken(broker, "a", 1)
    assert await broker.groups.renew(UID, FENCE, [0]) == {0: 1}
    old, new = (messages(broker, [0], attempt)[0] for attempt in (0, 1))

    assert not await broker.groups.redispatch(ROUTE, FENCE, [UnitMessage(0, 0, old, 0)])
    assert await broker.groups.redispatch(ROUTE, FENCE, [UnitMessage(0, 0, new, 1)]) == BitMap([0])
    assert await requeue(broker, "a") == frozenset()
    assert taken(broker, "b", 3) == [task_id(UID, 0, 1)]


async def test_stopping_takes_all_units_and_gives_those_that_have_begun_a_new_attempt(broker: Harness) -> None:
    await opened(broker, 4)
    taken(broker, "a", 2)
    stopped = await broker.groups.stop(ROUTE, FENCE, ["a"])

    assert stopped
    assert (stopped.queued, stopped.running) == (BitMap([2, 3]), BitMap([0, 1]))
    assert stopped.fence == Fence("n", 2)
    books = await broker.groups.books(UID)
    assert (set(books.returned), dict(books.attempts)) == ({0, 1, 2, 3}, {0: 1, 1: 1})
    assert await queued(broker, "a") == (0, {"a": 0})
    assert await broker.groups.stop(ROUTE, FENCE, ["a"]) is None, "the former epoch"
    old, new = (messages(broker, [0], attempt)[0] for attempt in (0, 1))
    assert not await broker.groups.redispatch(ROUTE, stopped.fence, [UnitMessage(0, 0, old, 0)])
    assert await broker.groups.redispatch(ROUTE, stopped.fence, [UnitMessage(0, 0, new, 1)]) == BitMap([0])


async def test_the_cursor_moves_past_items_that_are_held_back(broker: Harness) -> None:
    await opened(broker)
    assert await broker.groups.skip(UID, FENCE, 0, 0, FrozenBitMap([0, 1, 2]))
    assert not await broker.groups.skip(UID, FENCE, 0, 0, FrozenBitMap([0, 1, 2]))
    assert not await broker.groups.skip(UID, Fence("n", 2), 0, 3, FrozenBitMap([3]))

    state = (await broker.groups.observe(ROUTE, [])).state
    assert state
    assert dict(state.cursors) == {0: 3}
    assert set((await broker.groups.books(UID)).returned) == {0, 1, 2}
    assert await queued(broker) == (0, {})


async def test_the_oldest_message_of_each_pod_has_a_time(broker: Harness) -> None:
    await opened(broker, 3)
    taken(broker, "a", 2)
    entries = (await broker.pools.unacked(UID, ["a"]))["a"]

    assert (await broker.pools.observe(UID, ["a", "b"])).oldest == {"a": min(entry.taken_at for entry in entries)}


async def test_missing_items_wait_under_the_id_that_they_have(broker: Harness) -> None:
    await opened(broker, 1)
    name = taken(broker, "a", 1)[0]
    broker.acknowledge(UID, "a", name)
    assert await broker.groups.mark_missing(UID, FENCE, [0])

    assert await broker.groups.redispatch(ROUTE, FENCE, [UnitMessage(0, 0, messages(broker, [0])[0])]) == BitMap([0])
    assert taken(broker, "b", 1) == [name]


HOOK = hook_unit(Hook.ON_ITEM_SUCCESS, 2)
STEPS = Units([unit_of(0, 1), unit_of(2, 1), unit_of(2, 2), stage_unit(Stage.CALLBACK), HOOK])


async def test_a_step_is_released_once(broker: Harness) -> None:
    await opened(broker, 3)
    assert await broker.groups.release(UID, FENCE, STEPS)
    sent = [UnitMessage(unit, 0, message) for unit, message in zip(STEPS, messages(broker, list(STEPS)), strict=True)]
    assert set(await broker.groups.redispatch(ROUTE, FENCE, sent)) == set(STEPS)
    assert await broker.groups.release(UID, FENCE, STEPS)

    assert set((await broker.groups.books(UID)).returned) == set()
    assert taken(broker, "a", 9)[3:] == [
        f"{UID}.0.1",
        f"{UID}.2.1",
        f"{UID}.2.2",
        f"{UID}.callback",
        f"{UID}.2.onItemSuccess",
    ]


async def test_another_fence_releases_nothing(broker: Harness) -> None:
    await opened(broker, 3)

    assert not await broker.groups.release(UID, Fence("n", 2), STEPS)
    books = await broker.groups.books(UID, EVERY_STEP)
    assert (books.released, books.returned) == (NONE, NONE)


async def test_released_steps_are_in_the_books_until_these_are_replaced_or_erased(broker: Harness) -> None:
    await opened(broker, 3)
    await broker.groups.release(UID, FENCE, STEPS)
    many = Units(unit_of(index, 1) for index in range(40, 90))
    await broker.groups.release(UID, FENCE, many)

    assert (await broker.groups.books(UID, EVERY_STEP)).released == STEPS | many
    assert (await broker.groups.books(UID, units_of(full(3), 2))).released == many | Units(
        [unit_of(0, 1), unit_of(2, 1)]
    )
    assert (await broker.groups.books(UID)).released == NONE
    await broker.groups.open(ROUTE, Opening(nonce="m", instead_of="n"))
    assert (await broker.groups.books(UID, EVERY_STEP)).released == NONE
    await broker.groups.release(UID, Fence("m", 1), STEPS)
    await broker.groups.erase(UID, tombstone=False)
    assert (await broker.groups.books(UID, EVERY_STEP)).released == NONE


async def test_a_withdrawn_step_comes_back_as_the_step_that_it_is(broker: Harness) -> None:
    await opened(broker)
    await broker.groups.release(UID, FENCE, STEPS)
    sent = [UnitMessage(unit, 0, message) for unit, message in zip(STEPS, messages(broker, list(STEPS)), strict=True)]
    await broker.groups.redispatch(ROUTE, FENCE, sent)
    withdrawn = await broker.groups.withdraw(ROUTE, FENCE, [], running=False)

    assert withdrawn
    assert set(withdrawn.queued) == set((await broker.groups.books(UID)).returned) == set(STEPS)


async def test_a_step_that_a_worker_died_with_is_counted_by_its_own_number(broker: Harness) -> None:
    await opened(broker)
    await broker.groups.release(UID, FENCE, STEPS)
    sent = [UnitMessage(unit, 0, message) for unit, message in zip(STEPS, messages(broker, list(STEPS)), strict=True)]
    await broker.groups.redispatch(ROUTE, FENCE, sent)
    taken(broker, "a", 1)
    await requeue(broker, "a", over=Units([unit_of(2, 1)]))

    assert dict((await broker.groups.books(UID)).losses) == {unit_of(0, 1): 1}


async def test_present_names_what_is_queued_and_what_the_named_pods_hold(broker: Harness) -> None:
    await opened(broker, 2)
    taken(broker, "a", 1)

    assert await broker.groups.present(UID, ["a"]) == {task_id(UID, 0), task_id(UID, 1)}
    assert await broker.groups.present(UID, ["b"]) == {task_id(UID, 1)}
    assert await broker.pools.unacked_pods() == {UID: {"a"}}


async def test_pods_are_remembered_until_they_are_forgotten_or_the_pool_is_erased(broker: Harness) -> None:
    """Reading the whole database for them, for every group, took 17 s for 20 groups beside a million keys."""
    pools = broker.pools
    assert await pools.stray_pods(UID) == set()
    assert await pools.remember_pods(UID, ["a", "b"]) == 2
    assert await pools.remember_pods(UID, ["b", "c"]) == 1
    await pools.forget_pods(UID, ["a", "never"])

    assert await pools.stray_pods(UID) == {"b", "c"}
    assert await pools.stray_pods("another") == set()
    await pools.erase(UID, ["b"])
    assert await pools.stray_pods(UID) == set()


async def test_owners_are_found_until_the_books_are_erased(broker: Harness) -> None:
    owner = Owner("cluster", "shop", "thumbnails")
    await broker.groups.open(ROUTE, Opening(nonce="n", owner=owner))
    assert await broker.groups.owners() == {UID: owner}
    await broker.groups.erase(UID, tombstone=True)

    assert await broker.groups.owners() == {}


async def test_nobody_gets_past_a_tombstone(broker: Harness) -> None:
    await opened(broker, 2)
    taken(broker, "a", 1)
    await broker.pools.erase(UID, [])
    await broker.groups.erase(UID, tombstone=True)

    assert (await broker.groups.open(ROUTE, Opening(nonce="m", instead_of="n"))).deleted
    assert not await broker.groups.dispatch(ROUTE, FENCE, 0, 2, messages(broker, [2]))
    assert await requeue(broker, "a") == frozenset()
    assert await queued(broker, "a") == (0, {"a": 0})
    await broker.groups.erase(UID, tombstone=False)
    assert (await broker.groups.observe(ROUTE, [])).state is None
