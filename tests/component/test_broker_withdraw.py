"""What the operator takes back from queues and workers, at a real Redis: all that is the group's, and nothing else."""

import redis
from pyroaring import BitMap, FrozenBitMap

from support.broker import Group, consumer, open_group, queued_ids
from support.broker import shop_group as shop_group
from taskgroup.broker.port import UnitMessage
from taskgroup.core.groups.observed import Fence
from taskgroup.core.hooks import Hook, hook_unit
from taskgroup.core.task_id import task_id


async def test_withdraw_empties_the_lists_and_fences_the_former_epoch(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 4)
    await group.dispatch(0, 2, priority=9)
    with consumer(redis_url, group.pool, "pod-a") as worker:
        assert worker.take()
        withdrawn = await group.broker.groups.withdraw(group.route, group.fence, ["pod-a"], running=False)
    facts = await group.facts("pod-a")

    assert withdrawn
    assert withdrawn.fence == Fence("nonce-1", 2)
    assert (withdrawn.queued, withdrawn.running) == (BitMap([0, 1, 2, 3]), BitMap())
    assert (facts.queued, facts.returned, facts.held) == (0, FrozenBitMap([0, 1, 2, 3]), {"pod-a": 1})
    assert not await group.dispatch(4, 1)


async def test_withdraw_keeps_subtasks_and_retries_that_tasks_asked_for(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 3)
    subtask = group.messages([0])[0].replace(task_id(group.uid, 0).encode(), b"some-subtask")
    retry = group.messages([1])[0].replace(b'"retries":0', b'"retries":2')
    foreign = b"not json"
    client.lpush(group.pool.lists[0], subtask, retry, foreign)
    withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)

    assert withdrawn
    assert withdrawn.queued == BitMap([0, 1, 2])
    assert client.lrange(group.pool.lists[0], 0, -1) == [foreign, retry, subtask]
    ended = await group.broker.groups.withdraw(group.route, withdrawn.fence, [], running=True)
    assert ended
    assert ended.queued == BitMap([1])
    assert queued_ids(client, group.pool) == []


async def test_withdraw_takes_hooks_and_no_subtask_that_is_named_like_one(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    [message], own = group.messages([0]), task_id(group.uid, 0)
    client.delete(*group.pool.lists)
    hook = hook_unit(Hook.ON_ITEM_FAILURE, 7)
    subtasks = [f"{own}.thumbnail", f"{group.uid}.{Hook.ON_ITEM_FAILURE}", f"{group.uid}.callback.onItemFailure"]
    for name in (task_id(group.uid, hook), *subtasks):
        client.lpush(group.pool.lists[0], message.replace(f'"{own}"'.encode(), f'"{name}"'.encode()))
    withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)

    assert withdrawn
    assert withdrawn.queued == BitMap([hook])
    assert sorted(queued_ids(client, group.pool)) == sorted(subtasks)


async def test_withdraw_leaves_items_of_another_group_in_the_queue(redis_url: str, client: redis.Redis) -> None:
    group = await open_group(redis_url, uid="first", pool="shared")
    other = await open_group(redis_url, uid="second", pool="shared")
    await group.dispatch(0, 2)
    await other.dispatch(0, 1)
    withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)

    assert withdrawn
    assert withdrawn.queued == BitMap([0, 1])
    assert queued_ids(client, group.pool) == [task_id(other.uid, 0)]
    assert (await other.facts()).returned == FrozenBitMap()
    await group.broker.close()
    await other.broker.close()


async def test_withdraw_at_the_end_takes_unacked_entries_too(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 3)
    with consumer(redis_url, group.pool, "pod-a") as worker:
        taken = worker.take()
        withdrawn = await group.broker.groups.withdraw(group.route, group.fence, ["pod-a"], running=True)
        assert taken
        worker.ack(taken)
    facts = await group.facts("pod-a")

    assert withdrawn
    assert (withdrawn.queued, withdrawn.running) == (BitMap([1, 2]), BitMap([0]))
    assert (facts.queued, facts.returned, facts.held) == (0, FrozenBitMap([0, 1, 2]), {"pod-a": 0})


async def test_stopping_keeps_subtasks_and_begins_retries_anew(
    group: Group, client: redis.Redis, redis_url: str
) -> None:
    await group.dispatch(0, 2)
    message = group.messages([0])[0]
    subtask = message.replace(task_id(group.uid, 0).encode(), b"some-subtask")
    superseded = message.replace(task_id(group.uid, 0).encode(), task_id(group.uid, 1, 7).encode())
    retry = group.messages([1])[0].replace(b'"retries":0', b'"retries":2')
    with consumer(redis_url, group.pool, "pod-a") as worker:
        client.rpush(group.pool.lists[0], subtask)
        assert worker.take()
        client.rpush(group.pool.lists[0], retry, superseded, b"not json")
        stopped = await group.broker.groups.stop(group.route, group.fence, ["pod-a"])
        held = client.hlen(group.pool.unacked("pod-a"))
    facts = await group.facts("pod-a")

    assert stopped
    assert (stopped.queued, stopped.running) == (BitMap([0]), BitMap([1]))
    assert (held, facts.returned) == (1, FrozenBitMap([0, 1])), "the subtask stays where it runs"
    assert client.lrange(group.pool.lists[0], 0, -1) == [b"not json"]


async def test_withdraw_works_when_memory_is_full(group: Group, client: redis.Redis) -> None:
    await group.dispatch(0, 100)
    client.config_set("maxmemory", "1")
    try:
        withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)
    finally:
        client.config_set("maxmemory", "0")

    assert withdrawn
    assert len(withdrawn.queued) == 100


async def test_withdraw_drops_messages_of_superseded_attempts(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 1)
    await group.broker.groups.renew(group.uid, group.fence, [0])
    message = group.messages([0], attempt=1)[0]
    await group.broker.groups.redispatch(group.route, group.fence, [UnitMessage(0, 0, message, 1)])
    with consumer(redis_url, group.pool, "pod-a") as worker:
        old, new = worker.take(), worker.take()
        assert old
        assert new
        worker.restore(old)
        withdrawn = await group.broker.groups.withdraw(group.route, group.fence, [], running=False)
    facts = await group.facts("pod-a")

    assert withdrawn
    assert withdrawn.queued == BitMap()
    assert (facts.queued, facts.returned, facts.held) == (0, FrozenBitMap(), {"pod-a": 1})
