"""Connections to a real Redis: the going of one user takes nothing from the other, and what is closed stays closed."""

import asyncio
from contextlib import suppress

import pytest
import redis
from pyroaring import BitMap, FrozenBitMap

from support.wait import eventually_async
from taskgroup.api.backend import TransportOptions
from taskgroup.connections.shared import Address, Connections, open_redis
from taskgroup.core.completions import Completions
from taskgroup.core.task_id import task_id
from taskgroup.pools.observe import user_of
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import BrokerError

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"


def connect(url: str) -> RedisConnection:
    return RedisConnection(url, TransportOptions(), "taskgroup.broker")


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


async def test_a_closed_connection_is_never_opened_again(redis_url: str) -> None:
    connection = connect(redis_url)
    await connection.ping()
    await connection.close()
    with pytest.raises(BrokerError, match="closed"):
        await connection.ping()


@pytest.mark.parametrize("turns", range(25))
async def test_nothing_stays_open_whenever_it_is_closed(redis_url: str, client: redis.Redis, turns: int) -> None:
    """A command that runs meanwhile is in some step of connecting, sending or reading after so many turns."""
    connection = connect(redis_url)
    command = asyncio.create_task(connection.ping())
    for _ in range(turns):
        await asyncio.sleep(0)
    await connection.close()
    with suppress(BrokerError):
        await command

    async def is_alone() -> bool:
        return len(client.client_list()) == 1

    await eventually_async(is_alone, state=client.client_list)
