"""One worker's view of a broker, for tests that hold every implementation of the ports to the same behaviour."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import redis
from kombu.transport.virtual import Message as KombuMessage

from support.broker import Consumer, consumer
from support.memory.groups import MemoryGroups
from support.memory.pools import MemoryPools
from support.memory.store import Message, Store
from taskgroup.broker.keys import PoolKeys
from taskgroup.broker.port import GroupBroker, PoolBroker
from taskgroup.broker.redis_broker import RedisBroker


class Harness(Protocol):
    """A broker, and what workers do to it."""

    groups: GroupBroker
    pools: PoolBroker

    def take(self, pool: str, pod: str) -> str | None:
        """The pod takes the next message of the pool's queue; returns its task id."""

    def acknowledge(self, pool: str, pod: str, name: str) -> None:
        """The pod is done with the message of that task id."""


class MemoryHarness:
    """The broker in memory."""

    def __init__(self) -> None:
        self._store = Store()
        self._taken: dict[str, Message] = {}
        self._moment = 0.0
        self.groups: GroupBroker = MemoryGroups(self._store)
        self.pools: PoolBroker = MemoryPools(self._store)

    def take(self, pool: str, pod: str) -> str | None:
        """See Harness."""
        self._moment += 1.0
        message = self._store.take(pool, pod, self._moment)
        if message is None:
            return None
        self._taken[message.id] = message
        return message.id

    def acknowledge(self, pool: str, pod: str, name: str) -> None:
        """See Harness."""
        self._store.acknowledge(pool, pod, self._taken.pop(name))


class RedisHarness:
    """A real Redis, and kombu as the worker."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.broker = RedisBroker(url)
        self.groups: GroupBroker = self.broker.groups
        self.pools: PoolBroker = self.broker.pools
        self._url = url
        self._stack = stack
        self._consumers: dict[tuple[str, str], Consumer] = {}
        self._taken: dict[str, KombuMessage] = {}

    def take(self, pool: str, pod: str) -> str | None:
        """See Harness."""
        message = self._consumer(pool, pod).take()
        if message is None:
            return None
        name = str(message.headers["id"])
        self._taken[name] = message
        return name

    def acknowledge(self, pool: str, pod: str, name: str) -> None:
        """See Harness."""
        self._consumer(pool, pod).ack(self._taken.pop(name))

    def _consumer(self, pool: str, pod: str) -> Consumer:
        if (pool, pod) not in self._consumers:
            context = consumer(self._url, PoolKeys("", pool), pod)
            self._consumers[pool, pod] = self._stack.enter_context(context)
        return self._consumers[pool, pod]


def redis_harness(url: str) -> Iterator[RedisHarness]:
    """On an empty Redis."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
    with ExitStack() as stack:
        yield RedisHarness(url, stack)
