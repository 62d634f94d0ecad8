"""A pool's queue in Redis, and what its workers hold unacknowledged."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from taskgroup.api.spec import MAX_COUNT
from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.broker.unacked import Entry, read_entry
from taskgroup.core.groups.observed import TOMBSTONE
from taskgroup.core.pools.observed import PoolQueue
from taskgroup.core.task_id import TaskId
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.shapes import texts

_POD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""A pod's name: what else follows the beginning of a key, no worker has written."""


class RedisPools:
    """`PoolBroker` on Redis."""

    def __init__(self, redis: RedisConnection, prefix: str) -> None:
        """`prefix` is the user's globalKeyPrefix."""
        self._redis = redis
        self._prefix = prefix

    def queue(self, pool: str) -> str:
        """See PoolBroker."""
        return PoolKeys("", pool).queue

    def worker_options(self, pool: str, pod: str) -> dict[str, str]:
        """See PoolBroker."""
        return PoolKeys("", pool).worker_options(pod)

    async def observe(self, pool: str, pods: Sequence[str]) -> PoolQueue:
        """See PoolBroker; in one round trip."""
        keys = self._keys(pool)
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                for name in keys.lists:
                    pipe.llen(name)
                for pod in pods:
                    pipe.hlen(keys.unacked(pod))
                lengths = await pipe.execute()
        lists = len(keys.lists)
        return PoolQueue(sum(lengths[:lists]), dict(zip(pods, lengths[lists:], strict=True)))

    async def requeue(
        self, pool: str, pod: str, groups: Iterable[str], *, before: float | None, count_loss: bool, loss_limit: int
    ) -> frozenset[TaskId]:
        """See PoolBroker. What is no item of `groups` is counted in the books of the pool itself."""
        uids, given_up = frozenset(groups), frozenset[TaskId]()
        by_books: dict[str, list[Entry]] = {}
        for entry in await self._unacked(pool, pod, before):
            is_ours = entry.item is not None and entry.item.uid in uids and entry.item.index < MAX_COUNT
            by_books.setdefault(entry.item.uid if entry.item and is_ours else pool, []).append(entry)
        for uid, entries in by_books.items():
            given_up |= await self._requeue(pool, pod, uid, entries, (int(count_loss), loss_limit))
        return given_up

    async def _requeue(
        self, pool: str, pod: str, uid: str, entries: list[Entry], counting: tuple[int, int]
    ) -> frozenset[TaskId]:
        keys, books = self._keys(pool), BookKeys(self._prefix, uid)
        names = [books.state, books.returned, books.attempts, books.losses]
        names += [keys.unacked(pod), keys.unacked_index(pod), *keys.lists]
        args: list[Any] = [TOMBSTONE, *counting]
        for entry in entries:
            item = entry.item if entry.item and entry.item.uid == uid and entry.item.index < MAX_COUNT else None
            index, attempt = (item.index, item.attempt) if item else ("", 0)
            args += [entry.tag, entry.raw, entry.list, index, attempt, entry.id, entry.message]
        ids = await self._redis.run("requeue", names, args, texts)
        given_up = (TaskId.parse(raw.decode(errors="replace")) for raw in ids)
        asked = {entry.item for entry in entries}
        return frozenset(item for item in given_up if item in asked and item)

    async def stray_pods(self, pool: str) -> set[str]:
        """See PoolBroker."""
        beginning = self._keys(pool).unacked("")
        pods: set[str] = set()
        async for name in self._redis.scan(beginning):
            pod = name.decode(errors="replace").removeprefix(beginning)
            if _POD.fullmatch(pod):
                pods.add(pod)
        return pods

    async def erase(self, pool: str, pods: Sequence[str]) -> None:
        """See PoolBroker."""
        keys = self._keys(pool)
        with broker_errors(self._redis.address):
            await self._redis.client.delete(*keys.lists, *keys.bindings, *keys.of_pods(pods))

    async def _unacked(self, pool: str, pod: str, before: float | None) -> list[Entry]:
        """A pod's entries, the newest first: what is pushed last is consumed first."""
        keys = self._keys(pool)
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.hgetall(keys.unacked(pod))
                pipe.zrange(keys.unacked_index(pod), 0, -1, withscores=True)
                held, times = await pipe.execute()
        taken_at = dict(times)
        tags = [tag for tag in held if before is None or taken_at.get(tag, 0.0) <= before]
        tags.sort(key=lambda tag: taken_at.get(tag, 0.0), reverse=True)
        entries = (read_entry(tag, held[tag]) for tag in tags)
        return [entry for entry in entries if entry]

    def _keys(self, pool: str) -> PoolKeys:
        return PoolKeys(self._prefix, pool)
