"""Builders for tests of the broker: a group, its messages, and a consumer that does what a worker's kombu does."""

# Kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from kombu.connection import Connection
from kombu.transport.virtual import Message

from taskgroup.api.backend import TransportOptions
from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.broker.port import Opening, Route
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.groups.observed import Fence, GroupState
from taskgroup.core.indexes import Indexes
from taskgroup.core.task_id import TaskId

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a group's books, its pool's queue and the pods of the pool hold."""

    state: GroupState | None
    queued: int
    returned: Indexes
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """A group that was opened in a Redis, and the names of what it has there."""

    broker: RedisBroker = field(repr=False)
    books: BookKeys
    pool: PoolKeys
    fence: Fence

    @property
    def uid(self) -> str:
        """Of the group."""
        return self.books.uid

    @property
    def route(self) -> Route:
        """The group, and the pool whose queue takes its messages."""
        return Route(self.books.uid, self.pool.pool)

    def messages(
        self,
        indexes: Sequence[int],
        *,
        priority: int = 0,
        task: str = "demo.echo",
        args: Sequence[Any] = (),
        attempt: int = 0,
    ) -> list[bytes]:
        """Messages of these items; each gets its index as first argument unless `args` is given."""
        leaf = Leaf(task=task, options=Options(priority=priority))
        template = MessageTemplate(leaf, self.uid, self.pool.queue)
        return [template.render(index, attempt, args or [index], {}) for index in indexes]

    async def dispatch(self, start: int, count: int, *, priority: int = 0, **options: Any) -> bool:
        """Items start … start + count - 1 as the priority's next ones."""
        messages = self.messages(range(start, start + count), priority=priority, **options)
        return await self.broker.groups.dispatch(self.route, self.fence, priority, start, messages)

    async def facts(self, *pods: str) -> Facts:
        """What is there; both sides of the broker must count the same."""
        state = await self.broker.groups.observe(self.route, pods)
        queue = await self.broker.pools.observe(self.pool.pool, pods)
        assert (state.queued, state.held) == (queue.queued, sum(queue.held.values()))
        books = await self.broker.groups.books(self.uid)
        return Facts(state.state, queue.queued, books.returned, queue.held)


async def open_group(url: str, *, prefix: str = "", uid: str = UID, pool: str = "") -> Group:
    """A group with fresh books, and connections of its own; its pool bears its uid unless one is named."""
    broker = RedisBroker(url, TransportOptions(global_key_prefix=prefix or None))
    route = Route(uid, pool or uid)
    state = await broker.groups.open(route, Opening(nonce="nonce-1"))
    return Group(broker, BookKeys(prefix, route.uid), PoolKeys(prefix, route.pool), state.fence)


def queued_ids(client: redis.Redis, pool: PoolKeys) -> list[str]:
    """Task ids in the order in which workers would take them."""
    ids: list[str] = []
    for name in pool.lists:
        raw: Any = client.lrange(name, 0, -1)
        ids += [json.loads(message)["headers"]["id"] for message in reversed(raw)]
    return ids


def indexes(ids: Sequence[str], uid: str = UID) -> list[int]:
    """The items' indexes of task ids; ids of another group or of no item fail."""
    items = [TaskId.parse(text) for text in ids]
    assert all(item and item.uid == uid for item in items), ids
    return [item.unit for item in items if item]


class Consumer:
    """Takes messages as a worker's kombu does: into the unacked hash of its pod, and out of it by ack or restore."""

    def __init__(self, connection: Connection, queue: str) -> None:
        self._channel = connection.default_channel
        self._queue = queue

    def take(self) -> Message | None:
        """The next message, not acknowledged yet."""
        message: Message | None = self._channel.basic_get(self._queue, no_ack=False)
        return message

    def ack(self, message: Message) -> None:
        """The worker has stored the result."""
        self._channel.basic_ack(message.delivery_tag)

    def restore(self, message: Message) -> None:
        """A stopping worker hands the message back."""
        self._channel.basic_reject(message.delivery_tag, requeue=True)


@contextmanager
def consumer(url: str, pool: PoolKeys, pod: str) -> Iterator[Consumer]:
    """A consumer with the transport options that the operator gives a worker pod."""
    options: Mapping[str, str] = {**pool.worker_options(pod), "global_keyprefix": pool.prefix}
    connection = Connection(url, transport_options=dict(options))
    try:
        yield Consumer(connection, pool.queue)
    finally:
        # Not release(): closing a channel would restore what it holds, and these stand for pods that died.
        connection.default_channel.qos._delivered.clear()  # noqa: SLF001
        connection.release()


async def take_and_die(group: Group, url: str, count: int, pod: str = "pod-a") -> None:
    """A worker takes `count` messages and is never heard of again."""
    with consumer(url, group.pool, pod) as worker:
        for _ in range(count):
            assert worker.take()


@pytest.fixture(name="group")
async def shop_group(redis_url: str) -> AsyncIterator[Group]:
    """For test files that import it: a group whose keys have a prefix."""
    opened = await open_group(redis_url, prefix="shop:")
    yield opened
    await opened.broker.close()
