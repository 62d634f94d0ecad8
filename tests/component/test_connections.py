"""A connection with two users on a real Redis: the going of one takes nothing from the other."""

import pytest
import redis
from pyroaring import BitMap, FrozenBitMap

from support.wait import eventually_async
from taskgroup.api.backend import TransportOptions
from taskgroup.connections.shared import Address, Connections, open_redis
from taskgroup.core.completions import Completions
from taskgroup.core.task_id import task_id
from taskgroup.pools.observe import user_of

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"


@pytest.mark.parametrize("gone", [user_of(UID), "another"])
async def test_a_group_goes_on_reading_results_after_another_user_has_gone(redis_url: str, gone: str) -> None:
    address = Address(redis_url, redis_url, TransportOptions(), TransportOptions())
    connections, wakes = Connections(open_redis), list[str]()
    connection = connections.use(address, UID)
    subscription = connection.sweeper.subscribe(UID, lambda: wakes.append(UID))
    connections.use(address, gone)
    await connections.release(address, gone)
    subscription.follow(BitMap([3]), {})
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"celery-task-meta-{task_id(UID, 3)}", '{"status": "SUCCESS", "result": 1}')

    async def delivered() -> bool:
        return bool(wakes)

    await eventually_async(delivered)
    assert subscription.completions == Completions(FrozenBitMap([3]))
    assert connections.check() == 1
    await connections.close()
