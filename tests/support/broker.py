"""For tests of the broker: a group, its messages, and a consumer that uses Kombu as a worker does."""

# Kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from kombu.connection import Connection
from kombu.transport.virtual import Message

from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.keys import GroupKeys, parse_task_id
from taskgroup.broker.port import Fence
from taskgroup.broker.redis_broker import RedisBroker

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"


@dataclass(frozen=True, slots=True)
class Group:
    """A group that was opened in a Redis."""

    broker: RedisBroker
    keys: GroupKeys
    fence: Fence

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
        template = MessageTemplate(Leaf(task=task, options=Options(priority=priority)), self.keys)
        return [template.render(index, attempt, args or [index], {}) for index in indexes]

    async def dispatch(self, start: int, count: int, *, priority: int = 0, **options: Any) -> bool:
        """Items start … start + count - 1 as the priority's next ones."""
        messages = self.messages(range(start, start + count), priority=priority, **options)
        return await self.broker.dispatch(self.keys, self.fence, priority, start, messages)


async def open_group(broker: RedisBroker, *, prefix: str = "", uid: str = UID) -> Group:
    """Open a group without any state in Redis."""
    keys = GroupKeys(prefix, uid)
    state = await broker.open(keys, "nonce-1", {}, {})
    return Group(broker, keys, state.fence)


def queued_ids(client: redis.Redis, keys: GroupKeys) -> list[str]:
    """Task ids in the order in which workers would take them."""
    ids: list[str] = []
    for name in keys.lists:
        messages: Any = client.lrange(name, 0, -1)
        ids += [json.loads(message)["headers"]["id"] for message in reversed(messages)]
    return ids


def indexes(ids: Sequence[str]) -> list[int]:
    """The items' indexes of task ids; AssertionError for other ids."""
    items = [parse_task_id(UID, name) for name in ids]
    assert None not in items, ids
    return [item[0] for item in items if item]


class Consumer:
    """Takes messages as a worker does: into the unacked hash of its pod, and out of it by ack or restore."""

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
def consumer(url: str, keys: GroupKeys, pod: str) -> Iterator[Consumer]:
    """A consumer with the transport options that the operator gives a worker pod."""
    options: Mapping[str, str] = {**keys.worker_options(pod), "global_keyprefix": keys.prefix}
    connection = Connection(url, transport_options=dict(options))
    try:
        yield Consumer(connection, keys.queue)
    finally:
        # Closing a channel would restore its messages, but these consumers stand for pods that were killed.
        connection.default_channel.qos._delivered.clear()  # noqa: SLF001
        connection.release()
