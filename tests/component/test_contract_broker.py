"""What every broker must do, held against Redis with kombu as its worker, and against the one that the world of the
property tests runs on: a story that holds in memory then means something for Redis.
"""

from collections.abc import AsyncIterator, Sequence

import pytest
from pyroaring import BitMap, FrozenBitMap

from support.contract import Harness, MemoryHarness, redis_harness
from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.port import ItemMessage, Opening, Owner, Requeued, Route
from taskgroup.core.exchange import MAX_SHARED_LOSSES
from taskgroup.core.groups.observed import Fence
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.task_id import TaskId, task_id

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
OTHER = "7a2d3f63-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
ROUTE = Route(UID, UID)
FENCE = Fence("n", 1)


@pytest.fixture(params=["memory", "redis"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    if request.param == "memory":
        yield MemoryHarness()
        return
    for harness in redis_harness(request.getfixturevalue("redis_url")):
        yield harness
        await harness.broker.close()


def messages(
    broker: Harness, indexes: Sequence[int], attempt: int = 0, uid: str = UID, priority: int = 0
) -> list[bytes]:
    leaf = Leaf(task="demo.echo", options=Options(priority=priority))
    template = broker.groups.template(leaf, Route(uid, uid))
    return [template.render(index, attempt, [index], {}) for index in indexes]


async def opened(broker: Harness, count: int = 0, route: Route = ROUTE) -> None:
    await broker.groups.open(route, Opening(nonce="n"))
    if count:
        assert await broker.groups.dispatch(route, FENCE, 0, 0, messages(broker, range(count), uid=route.uid))


def taken(broker: Harness, pod: str, count: int, pool: str = UID) -> list[str]:
    return [name for _ in range(count) if (name := broker.take(pool, pod))]


async def queued(broker: Harness, *pods: str) -> tuple[int, dict[str, int]]:
    pool, group = await broker.pools.observe(UID, pods), await broker.groups.observe(ROUTE, pods)
    assert (group.queued, group.held, pool.messages) == (pool.queued, sum(pool.held.values()), group.messages)
    return pool.queued, dict(pool.held)


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
    entries = [ItemMessage(0, 0, messages(broker, [0])[0])]

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
    entries = [ItemMessage(index, 0, message) for index, message in zip([1, 9], messages(broker, [1, 9]), strict=True)]

    assert await broker.groups.redispatch(ROUTE, withdrawn.fence, entries) == BitMap([1])
    assert await broker.groups.redispatch(ROUTE, withdrawn.fence, entries) == BitMap()
    assert taken(broker, "a", 3) == [task_id(UID, 1)]


async def test_a_renewed_item_has_a_new_id_and_the_old_one_is_superseded(broker: Harness) -> None:
    await opened(broker, 1)
    taken(broker, "a", 1)
    assert await broker.groups.renew(UID, FENCE, [0]) == {0: 1}
    old, new = (messages(broker, [0], attempt)[0] for attempt in (0, 1))

    assert not await broker.groups.redispatch(ROUTE, FENCE, [ItemMessage(0, 0, old, 0)])
    assert await broker.groups.redispatch(ROUTE, FENCE, [ItemMessage(0, 0, new, 1)]) == BitMap([0])
    assert await requeue(broker, "a") == frozenset()
    assert taken(broker, "b", 3) == [task_id(UID, 0, 1)]


async def died(broker: Harness, pod: str, *, limit: int = 3, suspect_losses: int = 0) -> Requeued:
    return await broker.pools.requeue(
        UID, pod, {UID: NONE}, before=None, count_loss=True, loss_limit=limit, suspect_losses=suspect_losses
    )


async def requeue(
    broker: Harness,
    pod: str,
    *,
    limit: int = 3,
    count_loss: bool = True,
    groups: Sequence[str] = (UID,),
    over: Indexes = NONE,
) -> frozenset[TaskId]:
    ended = dict.fromkeys(groups, over)
    requeued = await broker.pools.requeue(
        UID, pod, ended, before=None, count_loss=count_loss, loss_limit=limit, suspect_losses=0
    )
    return requeued.given_up


async def test_what_a_dead_pod_held_is_first_in_line_again(broker: Harness) -> None:
    await opened(broker, 4)
    assert taken(broker, "a", 2) == [task_id(UID, 0), task_id(UID, 1)]
    assert await requeue(broker, "a") == frozenset()
    assert await requeue(broker, "a") == frozenset()

    assert await queued(broker, "a") == (4, {"a": 0})
    assert dict((await broker.groups.books(UID)).losses) == {0: 1, 1: 1}
    assert taken(broker, "b", 5) == [task_id(UID, index) for index in range(4)]


async def test_what_was_acknowledged_does_not_come_back(broker: Harness) -> None:
    await opened(broker, 2)
    first, _ = taken(broker, "a", 2)
    broker.acknowledge(UID, "a", first)
    await requeue(broker, "a")

    assert taken(broker, "b", 3) == [task_id(UID, 1)]


async def test_an_item_that_too_many_workers_died_with_is_given_up(broker: Harness) -> None:
    await opened(broker, 1)
    for pod in ("a", "b"):
        taken(broker, pod, 1)
        assert await requeue(broker, pod, limit=2) == frozenset()
    taken(broker, "c", 1)

    assert await requeue(broker, "c", limit=2) == {TaskId(UID, 0)}
    assert await queued(broker, "c") == (0, {"c": 0})
    assert dict((await broker.groups.books(UID)).losses) == {0: 3}


async def test_suspects_wait_for_the_group_to_send_them_alone(broker: Harness) -> None:
    await opened(broker, 3)
    for pod in ("a", "b"):
        taken(broker, pod, 3)
        requeued = await died(broker, pod, suspect_losses=2)

    assert requeued == Requeued(set_aside=3)
    assert await queued(broker, "b") == (0, {"b": 0})
    books = await broker.groups.books(UID)
    assert (set(books.returned), dict(books.losses)) == ({0, 1, 2}, {0: 2, 1: 2, 2: 2})
    assert await broker.groups.redispatch(ROUTE, FENCE, [ItemMessage(1, 0, messages(broker, [1])[0])]) == BitMap([1])
    taken(broker, "c", 1)
    assert await died(broker, "c", suspect_losses=2) == Requeued(set_aside=1)
    assert dict((await broker.groups.books(UID)).losses) == {0: 2, 1: 3, 2: 2}


async def test_the_last_loss_must_be_the_items_own(broker: Harness) -> None:
    """Two items die together more often than one may: neither is given up before a worker dies with it alone."""
    await opened(broker, 2)
    for number in range(5):
        taken(broker, f"pod-{number}", 2)
        assert await died(broker, f"pod-{number}") == Requeued()
    assert dict((await broker.groups.books(UID)).losses) == {0: 3, 1: 3}

    assert taken(broker, "last", 1) == [task_id(UID, 0)]
    assert await died(broker, "last") == Requeued(frozenset({TaskId(UID, 0)}))
    assert taken(broker, "other", 2) == [task_id(UID, 1)]


async def test_items_that_always_die_together_are_given_up_in_the_end(broker: Harness) -> None:
    await opened(broker, 2)
    for number in range(MAX_SHARED_LOSSES):
        taken(broker, f"pod-{number}", 2)
        assert await died(broker, f"pod-{number}") == Requeued()

    taken(broker, "last", 2)
    assert await died(broker, "last") == Requeued(frozenset({TaskId(UID, 0), TaskId(UID, 1)}))


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


async def test_a_stop_in_order_counts_no_loss(broker: Harness) -> None:
    await opened(broker, 1)
    taken(broker, "a", 1)
    assert await requeue(broker, "a", limit=0, count_loss=False) == frozenset()

    assert dict((await broker.groups.books(UID)).losses) == {}
    assert taken(broker, "b", 1) == [task_id(UID, 0)]


async def test_what_ended_does_not_come_back_from_a_dead_pod(broker: Harness) -> None:
    """Its worker had stored the result, and could not acknowledge the message any more."""
    await opened(broker, 2)
    taken(broker, "a", 2)
    await requeue(broker, "a", over=FrozenBitMap([0]))

    assert dict((await broker.groups.books(UID)).losses) == {1: 1}
    assert taken(broker, "b", 3) == [task_id(UID, 1)]


async def held_tags(broker: Harness, pod: str) -> dict[str, str]:
    return {entry.id: entry.tag for entry in (await broker.pools.unacked(UID, [pod]))[pod]}


async def test_single_deliveries_of_a_live_pod_go_back_without_a_loss(broker: Harness) -> None:
    await opened(broker, 4)
    names = taken(broker, "a", 3)
    tags = await held_tags(broker, "a")
    assert list(tags) == names
    broker.acknowledge(UID, "a", names[1])
    for _ in range(2):
        await broker.pools.put_back(UID, "a", [UID], frozenset({tags[names[0]], tags[names[1]]}))

        assert await queued(broker, "a") == (2, {"a": 1})
    assert dict((await broker.groups.books(UID)).losses) == {}
    assert taken(broker, "b", 3) == [names[0], task_id(UID, 3)]


async def test_an_item_with_a_newer_attempt_is_not_put_back(broker: Harness) -> None:
    await opened(broker, 2)
    first, second = taken(broker, "a", 2)
    tags = await held_tags(broker, "a")
    await broker.groups.renew(UID, FENCE, [0])
    await broker.groups.mark_missing(UID, FENCE, [1])
    await broker.pools.put_back(UID, "a", [UID], frozenset({tags[first], tags[second]}))

    assert await queued(broker, "a") == (0, {"a": 0})


async def test_single_deliveries_of_a_live_pod_are_discarded(broker: Harness) -> None:
    await opened(broker, 2)
    first, second = taken(broker, "a", 2)
    tags = await held_tags(broker, "a")
    await broker.pools.discard(UID, "a", frozenset({tags[first]}))

    assert list(await held_tags(broker, "a")) == [second]
    assert await broker.pools.unacked(UID, ["nobody"]) == {"nobody": ()}
    assert await queued(broker, "a") == (0, {"a": 1})


async def test_the_oldest_message_of_each_pod_has_a_time(broker: Harness) -> None:
    await opened(broker, 3)
    taken(broker, "a", 2)
    entries = (await broker.pools.unacked(UID, ["a"]))["a"]

    assert (await broker.pools.observe(UID, ["a", "b"])).oldest == {"a": min(entry.taken_at for entry in entries)}


async def test_groups_of_one_pool_keep_books_of_their_own(broker: Harness) -> None:
    other = Route(OTHER, UID)
    await opened(broker, 1)
    await broker.groups.open(Route(OTHER, OTHER), Opening(nonce="n"))
    assert await broker.groups.dispatch(other, FENCE, 0, 0, messages(broker, [7], uid=OTHER))
    taken(broker, "a", 2)
    await requeue(broker, "a", groups=[UID, OTHER])

    assert dict((await broker.groups.books(UID)).losses) == {0: 1}
    assert dict((await broker.groups.books(OTHER)).losses) == {7: 1}
    assert await queued(broker, "a") == (2, {"a": 0})


async def test_missing_items_wait_under_the_id_that_they_have(broker: Harness) -> None:
    await opened(broker, 1)
    name = taken(broker, "a", 1)[0]
    broker.acknowledge(UID, "a", name)
    assert await broker.groups.mark_missing(UID, FENCE, [0])

    assert await broker.groups.redispatch(ROUTE, FENCE, [ItemMessage(0, 0, messages(broker, [0])[0])]) == BitMap([0])
    assert taken(broker, "b", 1) == [name]


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
