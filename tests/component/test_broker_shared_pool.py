"""What a dead worker of a pool held goes back by the books of the group that each item belongs to."""

from collections.abc import Sequence

import redis
from pyroaring import FrozenBitMap

from support.broker import Group, open_group, queued_ids, take_and_die
from taskgroup.broker.keys import BookKeys
from taskgroup.core.groups.observed import BrokerBooks
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import TaskId


async def two_groups(redis_url: str) -> tuple[Group, Group]:
    """Two groups whose items the workers of one pool run."""
    first = await open_group(redis_url, prefix="shop:", uid="first", pool="shared")
    return first, await open_group(redis_url, prefix="shop:", uid="second", pool="shared")


async def requeue_all(pool_of: Group, groups: Sequence[str], limit: int = 3) -> frozenset[TaskId]:
    requeued = await pool_of.broker.pools.requeue(
        pool_of.pool.pool,
        "pod-a",
        dict.fromkeys(groups, NONE),
        before=None,
        count_loss=True,
        loss_limit=limit,
        suspect_losses=0,
    )
    return requeued.given_up


async def test_each_item_of_a_shared_pool_goes_back_by_its_own_books(redis_url: str, client: redis.Redis) -> None:
    first, second = await two_groups(redis_url)
    await first.dispatch(0, 2)
    await second.dispatch(0, 2)
    await take_and_die(first, redis_url, 4)
    # In the other books index 0 has no newer attempt and index 1 does not wait.
    await first.broker.groups.renew(first.uid, first.fence, [0])
    await second.broker.groups.mark_missing(second.uid, second.fence, [1])

    assert await requeue_all(first, [first.uid, second.uid]) == frozenset()
    assert sorted(queued_ids(client, first.pool)) == ["first.1", "second.0"]
    assert (await first.facts("pod-a")).held == {"pod-a": 0}
    assert await first.broker.groups.books("first") == BrokerBooks(FrozenBitMap([0]), {0: 1}, {1: 1})
    assert await second.broker.groups.books("second") == BrokerBooks(FrozenBitMap([1]), {}, {0: 1})
    await close(first, second)


async def test_each_group_of_a_shared_pool_has_its_own_losses(redis_url: str, client: redis.Redis) -> None:
    first, second = await two_groups(redis_url)
    await first.dispatch(0, 1)
    for expected in (["first.0"], ["first.0"], []):
        await take_and_die(first, redis_url, 1)
        given_up = await requeue_all(first, [first.uid, second.uid], limit=2)
        assert queued_ids(client, first.pool) == expected
    assert given_up == {TaskId("first", 0)}
    await second.dispatch(0, 1)
    await take_and_die(first, redis_url, 1)

    assert await requeue_all(first, [first.uid, second.uid], limit=2) == frozenset()
    assert queued_ids(client, first.pool) == ["second.0"]
    assert (await second.broker.groups.books("second")).losses == {0: 1}
    await close(first, second)


async def test_only_the_erased_group_of_a_shared_pool_gets_nothing_back(redis_url: str, client: redis.Redis) -> None:
    first, second = await two_groups(redis_url)
    await first.dispatch(0, 1)
    await second.dispatch(0, 1)
    await take_and_die(first, redis_url, 2)
    await first.broker.groups.erase(first.uid, tombstone=True)

    assert await requeue_all(first, [first.uid, second.uid]) == frozenset()
    assert queued_ids(client, first.pool) == ["second.0"]
    assert (await first.facts("pod-a")).held == {"pod-a": 0}
    await close(first, second)


async def test_what_belongs_to_no_group_of_the_pool_is_counted_by_the_pool(redis_url: str, client: redis.Redis) -> None:
    first, second = await two_groups(redis_url)
    await second.dispatch(0, 1)
    await second.broker.groups.mark_missing(second.uid, second.fence, [0])
    for expected in (["second.0"], ["second.0"], []):
        await take_and_die(first, redis_url, 1)
        assert await requeue_all(first, [first.uid], limit=2) == frozenset()
        assert queued_ids(client, first.pool) == expected

    assert (await second.broker.groups.books("second")).losses == {}
    assert client.hgetall(BookKeys("shop:", "shared").losses) == {b"second.0": b"3"}
    await close(first, second)


async def close(*groups: Group) -> None:
    for group in groups:
        await group.broker.close()
