"""The scripts against a real Redis: each change happens once, or not at all, whoever repeats it."""

from dataclasses import replace

import pytest
import redis
from pyroaring import BitMap, FrozenBitMap

from support.broker import Facts, Group, consumer, indexes, open_group, queued_ids
from support.broker import shop_group as shop_group
from taskgroup.broker.port import Opening, Route, UnitMessage
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.groups.observed import TOMBSTONE, BrokerBooks, Fence, GroupState, QueueState
from taskgroup.core.pools.observed import PoolQueue
from taskgroup.core.task_id import task_id


async def test_open_begins_the_books_once(group: Group) -> None:
    again = await group.broker.groups.open(
        group.route, Opening(nonce="nonce-2", cursors={3: 7}, attempts={1: 1}, returned=FrozenBitMap([2]))
    )

    assert (again.nonce, again.epoch, again.cursors) == ("nonce-1", 1, {})
    assert await group.broker.groups.books(group.uid) == BrokerBooks()


async def test_open_after_a_loss_takes_over_cursors_attempts_and_what_waits(redis_url: str) -> None:
    broker, waiting = RedisBroker(redis_url), FrozenBitMap([2, 4])
    opening = Opening(nonce="n", cursors={0: 5, 9: 2}, attempts={4: 1, 6: 3}, returned=waiting)
    state = await broker.groups.open(Route("u", "u"), opening)

    assert (state.nonce, state.epoch, state.cursors) == ("n", 1, {0: 5, 9: 2})
    assert await broker.groups.books("u") == BrokerBooks(waiting, {4: 1, 6: 3})
    await broker.close()


async def test_open_replaces_only_books_that_are_known_to_be_out_of_date(group: Group) -> None:
    await group.dispatch(0, 1)
    await group.broker.groups.renew(group.uid, group.fence, [0])
    before = await group.facts()
    other = Opening(nonce="nonce-2", cursors={3: 7}, attempts={5: 2}, instead_of="nonce-0")
    assert await group.broker.groups.open(group.route, other) == before.state
    assert await group.facts() == before
    state = await group.broker.groups.open(group.route, replace(other, instead_of="nonce-1"))

    assert state == GroupState("nonce-2", 1, {3: 7})
    assert await group.facts() == Facts(state, queued=0, returned=FrozenBitMap(), held={})
    assert await group.broker.groups.books(group.uid) == BrokerBooks(attempts={5: 2})


async def test_a_replay_of_a_dispatch_changes_nothing(group: Group, client: redis.Redis) -> None:
    messages = group.messages(range(3))

    assert await group.broker.groups.dispatch(group.route, group.fence, 0, 0, messages)
    assert not await group.broker.groups.dispatch(group.route, group.fence, 0, 0, messages)
    assert indexes(queued_ids(client, group.pool)) == [0, 1, 2]


@pytest.mark.parametrize("fence", [Fence("nonce-2", 1), Fence("nonce-1", 2), Fence(TOMBSTONE, 1)])
async def test_who_believes_in_another_state_changes_nothing(group: Group, fence: Fence) -> None:
    await group.dispatch(0, 2)
    groups = group.broker.groups
    stale = replace(group, fence=fence)

    assert not await stale.dispatch(2, 1)
    assert await groups.withdraw(group.route, fence, [], running=True) is None
    assert await groups.renew(group.uid, fence, [0]) is None
    assert not await groups.mark_missing(group.uid, fence, [0])
    facts = await group.facts()
    assert facts == Facts(GroupState("nonce-1", 1, {0: 2}), queued=2, returned=FrozenBitMap(), held={})


async def test_a_large_batch_arrives_whole_and_in_order(group: Group, client: redis.Redis) -> None:
    assert await group.dispatch(0, 20_000)

    assert indexes(queued_ids(client, group.pool)) == list(range(20_000))


async def test_urgent_priorities_are_consumed_first(group: Group, redis_url: str) -> None:
    for priority in range(10):
        messages = group.messages([priority], priority=priority)
        assert await group.broker.groups.dispatch(group.route, group.fence, priority, 0, messages)
    with consumer(redis_url, group.pool, "pod-a") as worker:
        taken = [message.headers["id"] for _ in range(10) if (message := worker.take())]

    # Kombu keeps three priorities in one list, first come first served; the lists follow their urgency.
    assert indexes(taken) == [7, 8, 9, 4, 5, 6, 1, 2, 3, 0]


async def test_observe_sees_everything_in_one_look(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 5)
    await group.broker.groups.renew(group.uid, group.fence, [3])
    with consumer(redis_url, group.pool, "pod-a") as worker:
        assert worker.take()
        assert worker.take()
        facts = await group.facts("pod-a", "pod-b")

    assert facts.state
    assert facts.state.fence == group.fence
    assert (facts.queued, facts.returned, facts.held) == (3, FrozenBitMap([3]), {"pod-a": 2, "pod-b": 0})


async def test_nothing_is_there_before_open(redis_url: str) -> None:
    broker = RedisBroker(redis_url)

    assert await broker.groups.observe(Route("u", "u"), ["p"]) == QueueState(None)
    assert await broker.groups.books("u") == BrokerBooks()
    assert await broker.pools.observe("u", ["p"]) == PoolQueue(0, {"p": 0}, server=1)
    await broker.close()


async def test_redispatch_pushes_only_what_was_returned(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 3)
    withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)
    assert withdrawn
    entries = [UnitMessage(i, 0, m) for i, m in zip([1, 9], group.messages([1, 9]), strict=True)]

    assert await group.broker.groups.redispatch(group.route, group.fence, entries) == BitMap()
    assert await group.broker.groups.redispatch(group.route, withdrawn.fence, entries) == BitMap([1])
    assert await group.broker.groups.redispatch(group.route, withdrawn.fence, entries) == BitMap()
    assert indexes(queued_ids(client, group.pool)) == [1]
    assert (await group.broker.groups.books(group.uid)).returned == BitMap([0, 2])


async def test_redispatch_refuses_a_message_of_an_old_attempt(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    client.delete(*group.pool.lists)
    assert await group.broker.groups.renew(group.uid, group.fence, [0]) == {0: 1}
    old, new = (group.messages([0], attempt=attempt)[0] for attempt in (0, 1))

    assert not await group.broker.groups.redispatch(group.route, group.fence, [UnitMessage(0, 0, old, 0)])
    assert await group.broker.groups.redispatch(group.route, group.fence, [UnitMessage(0, 0, new, 1)]) == BitMap([0])
    assert queued_ids(client, group.pool) == [task_id(group.uid, 0, 1)]


async def test_present_names_what_is_queued_and_what_is_held(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 2)
    with consumer(redis_url, group.pool, "pod-a") as worker:
        assert worker.take()
        ids = await group.broker.groups.present(group.pool.pool, ["pod-a", "pod-b"])
        listed = await group.broker.groups.present(group.pool.pool, [])

    assert ids == {task_id(group.uid, 0), task_id(group.uid, 1)}
    assert listed == {task_id(group.uid, 1)}


async def test_what_is_missing_is_dispatched_again_under_its_id(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    client.delete(*group.pool.lists)
    assert await group.broker.groups.mark_missing(group.uid, group.fence, [0])
    entries = [UnitMessage(0, 0, group.messages([0])[0])]

    assert await group.broker.groups.redispatch(group.route, group.fence, entries) == BitMap([0])
    assert queued_ids(client, group.pool) == [task_id(group.uid, 0)]


async def test_pods_that_nobody_saw_are_found_by_their_unacked_messages_in_one_look(redis_url: str) -> None:
    group = await open_group(redis_url, prefix="a[b]*:", pool="mine")
    other = await open_group(redis_url, prefix="a[b]*:", uid="other", pool="theirs")
    await group.dispatch(0, 1)
    await other.dispatch(0, 1)
    with consumer(redis_url, group.pool, "pod-7") as mine, consumer(redis_url, other.pool, "pod-8") as theirs:
        assert mine.take()
        assert theirs.take()
        assert await group.broker.pools.unacked_pods() == {"mine": {"pod-7"}, "theirs": {"pod-8"}}
    await group.broker.close()
    await other.broker.close()


async def test_erase_leaves_a_tombstone_that_nobody_gets_past(
    group: Group, client: redis.Redis, redis_url: str
) -> None:
    await group.dispatch(0, 3)
    await group.broker.groups.renew(group.uid, group.fence, [1])
    client.sadd(group.pool.bindings[1], "x")
    with consumer(redis_url, group.pool, "pod-a") as worker:
        assert worker.take()
        await group.broker.pools.erase(group.pool.pool, ["pod-a"])
        await group.broker.groups.erase(group.uid, tombstone=True)
    reopened = await group.broker.groups.open(group.route, Opening(nonce="nonce-3", instead_of=TOMBSTONE))

    assert client.keys("*") == [group.books.state.encode()]
    assert reopened.deleted
    assert not await group.dispatch(3, 1)
    assert 0 < int(str(client.ttl(group.books.state))) <= 86_400
    await group.broker.groups.erase(group.uid, tombstone=False)
    assert client.keys("*") == []


async def test_a_restarted_server_without_scripts_is_served_again(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    client.script_flush()

    assert await group.dispatch(1, 1)
    assert indexes(queued_ids(client, group.pool)) == [0, 1]
