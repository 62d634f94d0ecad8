"""How every broker must give back what pods held: Redis with kombu as its worker, and the one in memory that the world
of the property tests runs on.
"""

from pyroaring import BitMap, FrozenBitMap

from support.contract import Harness
from support.contract_steps import FENCE, ROUTE, UID, messages, opened, queued, requeue, taken
from support.contract_steps import each_broker as each_broker
from taskgroup.broker.port import Opening, Requeued, Route, UnitMessage
from taskgroup.core.exchange import ANEW, MAX_SHARED_LOSSES
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import TaskId, task_id

OTHER = "7a2d3f63-9c1e-4d1e-8a3b-0c5d5f5f5f5f"


async def died(broker: Harness, pod: str, *, limit: int = 3, suspect_losses: int = 0) -> Requeued:
    return await broker.pools.requeue(
        UID, pod, {UID: NONE}, before=None, count_loss=True, loss_limit=limit, suspect_losses=suspect_losses
    )


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

    assert requeued == Requeued(set_aside=3, losses=3)
    assert await queued(broker, "b") == (0, {"b": 0})
    books = await broker.groups.books(UID)
    assert (set(books.returned), dict(books.losses)) == ({0, 1, 2}, {0: 2, 1: 2, 2: 2})
    assert await broker.groups.redispatch(ROUTE, FENCE, [UnitMessage(1, 0, messages(broker, [1])[0])]) == BitMap([1])
    taken(broker, "c", 1)
    assert await died(broker, "c", suspect_losses=2) == Requeued(set_aside=1, losses=1)
    assert dict((await broker.groups.books(UID)).losses) == {0: 2, 1: 3, 2: 2}


async def test_the_last_loss_must_be_the_items_own(broker: Harness) -> None:
    """Two items die together more often than one may: neither is given up before a worker dies with it alone."""
    await opened(broker, 2)
    for number in range(5):
        taken(broker, f"pod-{number}", 2)
        assert await died(broker, f"pod-{number}") == Requeued(losses=2)
    assert dict((await broker.groups.books(UID)).losses) == {0: 3, 1: 3}

    assert taken(broker, "last", 1) == [task_id(UID, 0)]
    assert await died(broker, "last") == Requeued(frozenset({TaskId(UID, 0)}), losses=1)
    assert taken(broker, "other", 2) == [task_id(UID, 1)]


async def test_items_that_always_die_together_are_given_up_in_the_end(broker: Harness) -> None:
    await opened(broker, 2)
    for number in range(MAX_SHARED_LOSSES):
        taken(broker, f"pod-{number}", 2)
        assert await died(broker, f"pod-{number}") == Requeued(losses=2)

    taken(broker, "last", 2)
    assert await died(broker, "last") == Requeued(frozenset({TaskId(UID, 0), TaskId(UID, 1)}), losses=2)


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


async def test_what_a_paced_group_lost_waits_for_the_group_to_send_it_again(broker: Harness) -> None:
    await opened(broker, 3)
    for pod, count in (("a", 2), ("b", 1)):
        taken(broker, pod, count)
    assert await died(broker, "a", suspect_losses=ANEW) == Requeued(set_aside=2, losses=2)
    tags = frozenset(entry.tag for entry in (await broker.pools.unacked(UID, ["b"]))["b"])
    await broker.pools.put_back(UID, "b", [UID], tags, anew=True)

    assert await queued(broker, "b") == (0, {"b": 0})
    books = await broker.groups.books(UID)
    assert (set(books.returned), dict(books.losses)) == ({0, 1, 2}, {0: 1, 1: 1})
