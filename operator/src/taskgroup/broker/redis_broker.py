"""Every change of a group's keys in the broker's Redis. Each is one Lua script: it happens as a whole or not at all.

Whoever changes something says which nonce and epoch it believes in (Fence). Another operator, a replay, or a Redis that
lost its data then makes the change a no-op instead of a double dispatch.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyroaring import BitMap

from taskgroup.api.spec import TransportOptions
from taskgroup.broker.keys import GroupKeys, kombu_priority, list_number
from taskgroup.broker.port import (
    TOMBSTONE,
    BrokerBooks,
    Fence,
    GroupState,
    Owner,
    QueueState,
    Redispatch,
    Requeued,
    Withdrawn,
)
from taskgroup.broker.unacked import Entry, read_entry
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors, foreign_value

_TOMBSTONE_SECONDS = 86_400
_CURSOR = "cursor:"
_UID = re.compile(r"[0-9a-f-]{36}")


class RedisBroker:
    """The queues of all groups in one Redis. Every method raises BrokerError when the server cannot be used."""

    def __init__(self, url: str, options: TransportOptions | None = None) -> None:
        """Opens no connection yet; ValueError with a sentence when `url` is not a Redis URL."""
        self._redis = RedisConnection(url, options or TransportOptions(), __package__)
        self.address = self._redis.address

    async def ping(self) -> None:
        """BrokerError unless the server answers and accepts the credentials."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()

    async def open(
        self,
        keys: GroupKeys,
        nonce: str,
        cursors: Mapping[int, int],
        attempts: Mapping[int, int],
        *,
        returned: Iterable[int] = (),
        instead_of: str = "",
        owner: Owner | None = None,
    ) -> GroupState:
        """Begin the books (epoch 1) unless there are any; returns what is there, perhaps the tombstone.

        `instead_of` is the nonce of books that are known to be out of date (an old copy of Redis' data): these are
        replaced. `returned` are the indexes that wait to be dispatched again. `owner` is found again by `owners`.
        """
        names = [keys.state, keys.returned, keys.attempts, keys.losses, *keys.lists]
        waiting = list(returned)
        args: list[Any] = [nonce, instead_of, TOMBSTONE, str(owner or ""), len(cursors), len(attempts)]
        args += [*_flat(cursors), *_flat(attempts), *waiting]
        found = await self._redis.run("open", names, args)
        return _state(dict(zip(found[::2], found[1::2], strict=True)))

    async def observe(self, keys: GroupKeys, pods: Sequence[str]) -> QueueState:
        """State, messages in the queue, indexes in `returned` and unacked messages of each pod, in one round trip."""
        with broker_errors(self.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.hgetall(keys.state)
                pipe.scard(keys.returned)
                for name in keys.lists:
                    pipe.llen(name)
                for pod in pods:
                    pipe.hlen(keys.unacked(pod))
                state, returned, *lengths = await pipe.execute()
        lists = len(keys.lists)
        return QueueState(
            state=_state(state) if state else None,
            queued=sum(lengths[:lists]),
            returned=returned,
            unacked=dict(zip(pods, lengths[lists:], strict=True)),
        )

    async def books(self, keys: GroupKeys) -> BrokerBooks:
        """The sets and numbers by index; as large as the trouble so far, so not for every loop."""
        with broker_errors(self.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.smembers(keys.returned)
                pipe.hgetall(keys.attempts)
                pipe.hgetall(keys.losses)
                returned, attempts, losses = await pipe.execute()
        return BrokerBooks(_bitmap(returned), _numbers(attempts), _numbers(losses))

    async def dispatch(
        self, keys: GroupKeys, fence: Fence, priority: int, start: int, messages: Sequence[bytes]
    ) -> bool:
        """Push the next messages of a priority and move its cursor from `start`; False when fenced or a replay."""
        names = [keys.state, _list(keys, priority)]
        args = [fence.nonce, fence.epoch, f"{_CURSOR}{priority}", start, start + len(messages), *messages]
        return bool(await self._redis.run("dispatch", names, args))

    async def redispatch(self, keys: GroupKeys, fence: Fence, entries: Sequence[Redispatch]) -> BitMap:
        """Push messages of indexes that are still in `returned`, and take them out of it; returns those indexes."""
        names = [keys.state, keys.returned, keys.attempts, *keys.lists]
        args: list[Any] = [fence.nonce, fence.epoch]
        for entry in entries:
            args += [entry.index, entry.attempt, list_number(kombu_priority(entry.priority)), entry.message]
        return _bitmap(await self._redis.run("redispatch", names, args))

    async def withdraw(self, keys: GroupKeys, fence: Fence, pods: Sequence[str], *, running: bool) -> Withdrawn | None:
        """Raise the epoch and take the items out of the lists into `returned`; None = fenced, nothing done.

        Subtasks, and retries that tasks asked for, stay in the lists. With `running` (the end of a group) everything
        leaves the lists, and the unacked entries of `pods` go too.
        """
        names = [keys.state, keys.returned, keys.attempts, *keys.lists]
        if running:
            names += [key(pod) for pod in pods for key in (keys.unacked, keys.unacked_index)]
        answer = await self._redis.run("withdraw", names, [fence.nonce, fence.epoch, keys.uid, int(running)])
        if answer is None:
            return None
        epoch, kept, queued, taken = answer
        return Withdrawn(Fence(fence.nonce, epoch), _bitmap(queued), _bitmap(taken), kept)

    async def renew(self, keys: GroupKeys, fence: Fence, indexes: Iterable[int]) -> dict[int, int] | None:
        """A new attempt number for each index, which goes into `returned`; None = fenced, nothing done."""
        wanted = list(indexes)
        names = [keys.state, keys.returned, keys.attempts]
        attempts = await self._redis.run("renew", names, [fence.nonce, fence.epoch, *wanted])
        return None if attempts is None else dict(zip(wanted, attempts, strict=True))

    async def requeue(
        self, keys: GroupKeys, pod: str, *, before: float | None, count_loss: bool, loss_limit: int
    ) -> Requeued:
        """Put a dead worker's unacked messages back into the queue, first in line, marked as redelivered.

        `before` (epoch seconds): only those taken until then, for a container that was restarted under the pod's name.
        """
        entries = await self._unacked(keys, pod, before)
        names = [keys.state, keys.returned, keys.attempts, keys.losses]
        names += [keys.unacked(pod), keys.unacked_index(pod), *keys.lists]
        args: list[Any] = [TOMBSTONE, int(count_loss), loss_limit]
        for entry in entries:
            index = "" if entry.index is None else entry.index
            args += [entry.tag, entry.raw, entry.list, index, entry.attempt, entry.id, entry.message]
        if not entries:
            return Requeued(BitMap(), BitMap(), 0)
        returned, quarantined, others = await self._redis.run("requeue", names, args)
        return Requeued(_bitmap(returned), _bitmap(quarantined), others)

    async def present(self, keys: GroupKeys, pods: Sequence[str]) -> set[str]:
        """Task ids of all messages in the queue and in the pods' unacked hashes, at one instant."""
        ids = await self._redis.run("present", [*keys.lists, *map(keys.unacked, pods)], [])
        return {value.decode() for value in ids}

    async def mark_missing(self, keys: GroupKeys, fence: Fence, indexes: Iterable[int]) -> bool:
        """Put indexes whose message vanished into `returned` under their old id; False = fenced, nothing done."""
        names, args = [keys.state, keys.returned], [fence.nonce, fence.epoch, *indexes]
        return bool(await self._redis.run("mark_missing", names, args))

    async def erase(self, keys: GroupKeys, pods: Sequence[str], tombstone: bool) -> None:
        """Delete every key of the group; a tombstone keeps late operators out for a day."""
        names = [*keys.lists, keys.returned, keys.attempts, keys.losses, *keys.bindings, *keys.of_pods(pods)]
        with broker_errors(self.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.delete(keys.state, *names)
                if tombstone:
                    pipe.hset(keys.state, "nonce", TOMBSTONE)
                    pipe.expire(keys.state, _TOMBSTONE_SECONDS)
                await pipe.execute()

    async def owners(self, prefix: str) -> dict[str, Owner]:
        """Uid to owner of every group whose books are open and name one, by a scan over the whole database."""
        beginning = GroupKeys(prefix, "").state
        found: dict[str, Owner] = {}
        with broker_errors(self.address):
            async for key in self._redis.client.scan_iter(match=f"{_literal(beginning)}*", count=1000, _type="hash"):
                uid = key.decode(errors="replace").removeprefix(beginning)
                text: Any = await self._redis.client.hget(key, "owner") if _UID.fullmatch(uid) else None
                if text and (owner := Owner.parse(text.decode(errors="replace"))):
                    found[uid] = owner
        return found

    async def stray_pods(self, keys: GroupKeys) -> set[str]:
        """Names of all pods with unacked messages, by a scan over the whole database."""
        beginning = keys.unacked("")
        found: set[str] = set()
        with broker_errors(self.address):
            async for name in self._redis.client.scan_iter(match=f"{_literal(beginning)}*", count=1000):
                found.add(name.decode(errors="replace").removeprefix(beginning))
        return found

    async def _unacked(self, keys: GroupKeys, pod: str, before: float | None) -> list[Entry]:
        """A pod's entries, the newest first: what is pushed last is consumed first."""
        with broker_errors(self.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.hgetall(keys.unacked(pod))
                pipe.zrange(keys.unacked_index(pod), 0, -1, withscores=True)
                held, times = await pipe.execute()
        taken_at = dict(times)
        tags = [tag for tag in held if before is None or taken_at.get(tag, 0.0) <= before]
        tags.sort(key=lambda tag: taken_at.get(tag, 0.0), reverse=True)
        entries = (read_entry(keys.uid, tag, held[tag]) for tag in tags)
        return [entry for entry in entries if entry]


def _list(keys: GroupKeys, priority: int) -> str:
    return keys.lists[list_number(kombu_priority(priority))]


def _state(fields: Mapping[bytes, bytes]) -> GroupState:
    """BrokerError for what no script of ours has written."""
    try:
        return _parsed(fields)
    except ValueError:
        raise foreign_value() from None


def _parsed(fields: Mapping[bytes, bytes]) -> GroupState:
    cursors = {
        int(name.removeprefix(_CURSOR.encode())): int(value)
        for name, value in fields.items()
        if name.startswith(_CURSOR.encode())
    }
    return GroupState(fields.get(b"nonce", b"").decode(), int(fields.get(b"epoch", 0)), cursors)


def _bitmap(indexes: Iterable[bytes]) -> BitMap:
    try:
        return BitMap([int(index) for index in indexes])
    except (ValueError, OverflowError):
        raise foreign_value() from None


def _numbers(fields: Mapping[bytes, bytes]) -> dict[int, int]:
    """Entries by index; the losses of what is no item are kept under its task id and left out here."""
    try:
        return {int(name): int(value) for name, value in fields.items() if name.isdigit()}
    except ValueError:
        raise foreign_value() from None


def _flat(numbers: Mapping[int, int]) -> list[int]:
    return [part for pair in numbers.items() for part in pair]


def _literal(text: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
