"""A pool's queue in Redis, and what its workers hold unacknowledged."""

import hashlib
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import InvalidResponse

from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.broker.port import Requeued
from taskgroup.broker.shared_read import SharedRead
from taskgroup.broker.unacked import UNACKED_FIELDS, Entry, read_entry, read_unacked
from taskgroup.core.exchange import ANEW, MAX_SHARED_LOSSES
from taskgroup.core.groups.observed import TOMBSTONE
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.pools.claim_history import Unacked
from taskgroup.core.pools.observed import PoolQueue
from taskgroup.core.task_id import TaskId
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.shapes import count, rows, texts, triple

_POD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""A pod's name: what else follows the beginning of a key, no worker has written."""

_MOST_STRAYS = 5_000
SCAN_SECONDS = 10.0
"""At least, between two readings of the key space: of all pools of one Redis together."""
_UNACKED = re.compile(r"taskgroup:([0-9a-z-]{1,64}):unacked:([a-z0-9.-]{1,253})")
"""Pool and pod in the name of a key, without the user's prefix."""
_NONE, _SHARED, _ALONE = "none", "shared", "alone"
"""Whom the death of a worker is blamed on: what it ran beside others, or the only thing that it ran."""
_MOST_ENTRIES = 1000
"""Of one pod, in one look or one removal."""


class RedisPools:
    """`PoolBroker` on Redis."""

    def __init__(self, redis: RedisConnection, prefix: str) -> None:
        """`prefix` is the user's globalKeyPrefix."""
        self._redis = redis
        self._prefix = prefix
        # A server that was started since, or has taken another's place, does not know this script.
        self._mark = f"return '{uuid.uuid4()}'"
        self._mark_digest = hashlib.sha1(self._mark.encode(), usedforsecurity=False).hexdigest()
        self._servers = 0
        self._unacked_pods = SharedRead(self._scan_unacked, SCAN_SECONDS)

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
                for pod in pods:
                    pipe.zrange(keys.unacked_index(pod), 0, 0, withscores=True)
                pipe.script_exists(self._mark_digest)
                *answers, marks = await pipe.execute()
        first, second = len(keys.lists), len(keys.lists) + len(pods)
        held = dict(zip(pods, answers[first:second], strict=True))
        oldest = {pod: entries[0][1] for pod, entries in zip(pods, answers[second:], strict=True) if entries}
        return PoolQueue(sum(answers[:first]), held, oldest, await self._server(known=bool(marks[0])))

    async def _server(self, *, known: bool) -> int:
        """The number of the server process that answers."""
        if not known:
            with broker_errors(self._redis.address):
                await self._redis.client.script_load(self._mark)
            self._servers += 1
        return self._servers

    async def requeue(
        self,
        pool: str,
        pod: str,
        groups: Mapping[str, Indexes],
        *,
        before: float | None,
        count_loss: bool,
        loss_limit: int,
        suspect_losses: int,
    ) -> Requeued:
        """See PoolBroker. What is no item of `groups` is counted in the books of the pool itself."""
        entries, foreign = await self._entries(pool, pod, before)
        over = {entry.tag for entry in entries if entry.item and _is_in(entry.item, groups)}
        # An entry that is no message has no time of its own: it goes with the pod.
        await self._remove(pool, pod, [*over, *(foreign if before is None else [])])
        waiting = [entry for entry in entries if entry.tag not in over]
        blame = _blame(waiting) if count_loss else _NONE
        limits = (loss_limit, MAX_SHARED_LOSSES, suspect_losses)
        moved = await self._move(pool, pod, groups, waiting, limits, blame)
        unmoved = await self._length(pool, pod)
        return replace(moved, unmoved=unmoved, foreign=len(foreign) if before is None else 0)

    async def unacked(self, pool: str, pods: Sequence[str]) -> Mapping[str, tuple[Unacked, ...]]:
        """See PoolBroker."""
        keys = self._keys(pool)
        calls = [((keys.unacked(pod), keys.unacked_index(pod)), (_MOST_ENTRIES,)) for pod in pods]
        answers = await self._redis.run_each("unacked", calls, _rows) if calls else []
        return {pod: tuple(map(read_unacked, answer)) for pod, answer in zip(pods, answers, strict=True)}

    async def put_back(
        self, pool: str, pod: str, groups: Iterable[str], tags: frozenset[str], *, anew: bool = False
    ) -> None:
        """See PoolBroker."""
        wanted, now = [tag.encode(errors="surrogateescape") for tag in sorted(tags)], time.time()
        with broker_errors(self._redis.address):
            raws: list[Any] = await self._redis.client.hmget(self._keys(pool).unacked(pod), wanted)
            if len(raws) != len(wanted):
                raise InvalidResponse("another number of values than was asked for")
        read = {tag: read_entry(tag, raw, now) for tag, raw in zip(wanted, raws, strict=True) if raw is not None}
        limits = (0, 0, ANEW if anew else 0)
        await self._move(pool, pod, groups, [entry for entry in read.values() if entry], limits, _NONE)
        await self._remove(pool, pod, [tag for tag, entry in read.items() if entry is None])

    async def discard(self, pool: str, pod: str, tags: frozenset[str]) -> None:
        """See PoolBroker."""
        await self._remove(pool, pod, [tag.encode(errors="surrogateescape") for tag in sorted(tags)])

    async def _move(
        self,
        pool: str,
        pod: str,
        groups: Iterable[str],
        entries: Iterable[Entry],
        limits: tuple[int, int, int],
        blame: str,
    ) -> Requeued:
        uids, given_up, set_aside, losses = frozenset(groups), frozenset[TaskId](), 0, 0
        by_books: dict[str, list[Entry]] = {}
        for entry in entries:
            is_ours = entry.item is not None and entry.item.uid in uids
            by_books.setdefault(entry.item.uid if entry.item and is_ours else pool, []).append(entry)
        for uid, own in by_books.items():
            requeued = await self._requeue(pool, pod, uid, own, limits, blame)
            given_up, set_aside = given_up | requeued.given_up, set_aside + requeued.set_aside
            losses += requeued.losses
        return Requeued(given_up, set_aside, losses=losses)

    async def _remove(self, pool: str, pod: str, tags: Sequence[bytes]) -> None:
        keys = self._keys(pool)
        for start in range(0, len(tags), _MOST_ENTRIES):
            part = tags[start : start + _MOST_ENTRIES]
            with broker_errors(self._redis.address):
                async with self._redis.client.pipeline(transaction=True) as pipe:
                    pipe.hdel(keys.unacked(pod), *part)
                    pipe.zrem(keys.unacked_index(pod), *part)
                    await pipe.execute()

    async def _length(self, pool: str, pod: str) -> int:
        with broker_errors(self._redis.address):
            return int(await self._redis.client.hlen(self._keys(pool).unacked(pod)))

    async def _requeue(
        self, pool: str, pod: str, uid: str, entries: list[Entry], limits: tuple[int, int, int], blame: str
    ) -> Requeued:
        keys, books = self._keys(pool), BookKeys(self._prefix, uid)
        names = [books.state, books.returned, books.attempts, books.losses]
        names += [keys.unacked(pod), keys.unacked_index(pod), *keys.lists]
        args: list[Any] = [TOMBSTONE, *limits]
        for entry in entries:
            item = entry.item if entry.item and entry.item.uid == uid else None
            unit, attempt = (item.unit, item.attempt) if item else ("", 0)
            args += [entry.tag, entry.raw, entry.list, unit, attempt, entry.id, entry.message]
            args += [_NONE if entry.waits else blame, int(entry.is_fresh)]
        ids, set_aside, losses = await self._redis.run("requeue", names, args, _requeued)
        given_up = (TaskId.parse(raw.decode(errors="replace")) for raw in ids)
        asked = {entry.item for entry in entries}
        return Requeued(frozenset(item for item in given_up if item in asked and item), set_aside, losses=losses)

    async def remember_pods(self, pool: str, pods: Iterable[str]) -> int:
        """See PoolBroker."""
        with broker_errors(self._redis.address):
            return int(await self._redis.client.sadd(self._keys(pool).pods, *pods))

    async def forget_pods(self, pool: str, pods: Iterable[str]) -> None:
        """See PoolBroker."""
        with broker_errors(self._redis.address):
            await self._redis.client.srem(self._keys(pool).pods, *pods)

    async def stray_pods(self, pool: str) -> set[str]:
        """See PoolBroker. Tenants can write there, too: not more than a bounded number is read."""
        with broker_errors(self._redis.address):
            names: Any = await self._redis.client.srandmember(self._keys(pool).pods, _MOST_STRAYS)
        pods = (name.decode(errors="replace") for name in names)
        return {pod for pod in pods if _POD.fullmatch(pod)}

    async def unacked_pods(self) -> dict[str, set[str]]:
        """See PoolBroker. All who ask share what is read."""
        return await self._unacked_pods.get()

    async def _scan_unacked(self) -> dict[str, set[str]]:
        pools: dict[str, set[str]] = {}
        async for key in self._redis.scan(f"{self._prefix}taskgroup:"):
            found = _UNACKED.fullmatch(key.decode(errors="replace").removeprefix(self._prefix))
            if found and _POD.fullmatch(found[2]):
                pools.setdefault(found[1], set()).add(found[2])
        return pools

    async def erase(self, pool: str, pods: Sequence[str]) -> None:
        """See PoolBroker."""
        keys = self._keys(pool)
        with broker_errors(self._redis.address):
            await self._redis.client.delete(*keys.lists, *keys.bindings, *keys.of_pods(pods), keys.pods)

    async def _entries(self, pool: str, pod: str, before: float | None) -> tuple[list[Entry], list[bytes]]:
        """A pod's entries, the newest first (what is pushed last is consumed first), and the tags of what is none."""
        keys = self._keys(pool)
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.hgetall(keys.unacked(pod))
                pipe.zrange(keys.unacked_index(pod), 0, -1, withscores=True)
                held, times = await pipe.execute()
        taken_at = dict(times)
        tags = [tag for tag in held if before is None or taken_at.get(tag, 0.0) <= before]
        tags.sort(key=lambda tag: taken_at.get(tag, 0.0), reverse=True)
        now = time.time()
        read = {tag: read_entry(tag, held[tag], now) for tag in tags}
        return [entry for entry in read.values() if entry], [tag for tag, entry in read.items() if entry is None]

    def _keys(self, pool: str) -> PoolKeys:
        return PoolKeys(self._prefix, pool)


def _blame(entries: Sequence[Entry]) -> str:
    return _ALONE if sum(not entry.waits for entry in entries) == 1 else _SHARED


def _requeued(answer: Any) -> tuple[list[bytes], int, int]:
    """Ids that are given up, how many suspects were set aside, and with how many items the worker died."""
    ids, set_aside, losses = triple(answer)
    return texts(ids), count(set_aside), count(losses)


def _is_in(item: TaskId, groups: Mapping[str, Indexes]) -> bool:
    return item.unit in groups.get(item.uid, NONE)


def _rows(answer: Any) -> list[list[bytes]]:
    return rows(answer, width=len(UNACKED_FIELDS))
