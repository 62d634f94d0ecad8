"""A group's books in Redis, and what it puts on a queue. Every change is one script or one transaction."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.signature import Leaf
from taskgroup.api.spec import MAX_COUNT
from taskgroup.broker.bits import marked
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.keys import PRIORITIES, BookKeys, PoolKeys, kombu_priority, list_number
from taskgroup.broker.port import Opening, Owner, Route, UnitMessage, Withdrawn
from taskgroup.core.groups.observed import TOMBSTONE, BrokerBooks, Fence, GroupState, QueueState
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.handover import HEAD
from taskgroup.core.task_id import LUA_NUMBERS, LUA_PATTERN
from taskgroup.core.units import Units, at_step, steps_of, unit_of
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors, foreign_value
from taskgroup.transport.shapes import count, counts_or_none, pairs, texts, triple

_TOMBSTONE_SECONDS = 86_400
_CURSOR = "cursor:"
_WAITING, _ALL, _UNITS = range(3)
"""What a withdrawal takes, as its script knows it."""
_UID = re.compile(r"[0-9a-f-]{36}")
_OWNER = re.compile(rb"[0-9a-z-]{1,63}/[0-9a-z-]{1,63}/[0-9a-z.-]{1,253}")
_NUMBER = re.compile(rb"[0-9]{1,10}")
_LONGEST_NONCE = 64
_MOST = 2**31
"""No unit, attempt, count of losses, cursor or epoch comes near it."""
_MOST_BIT_BYTES = MAX_COUNT // 8
"""Of the bits of one step."""


class RedisGroups:
    """`GroupBroker` on Redis."""

    def __init__(self, redis: RedisConnection, prefix: str) -> None:
        """`prefix` is the user's globalKeyPrefix."""
        self._redis = redis
        self._prefix = prefix

    def template(self, leaf: Leaf, route: Route) -> MessageTemplate:
        """See GroupBroker."""
        return MessageTemplate(leaf, route.uid, PoolKeys("", route.pool).queue)

    async def open(self, route: Route, opening: Opening) -> GroupState:
        """See GroupBroker."""
        keys = self._books(route.uid)
        names = [*keys.all, *self._pool(route.pool).lists]
        args: list[Any] = [opening.nonce, opening.instead_of, TOMBSTONE, str(opening.owner or "")]
        args += [len(opening.cursors), len(opening.attempts), *_flat(opening.cursors), *_flat(opening.attempts)]
        return _state(await self._redis.run("open", names, [*args, *opening.returned], pairs))

    async def observe(self, route: Route, pods: Sequence[str]) -> QueueState:
        """See GroupBroker."""
        pool = self._pool(route.pool)
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.hgetall(self._books(route.uid).state)
                for name in pool.lists:
                    pipe.llen(name)
                for pod in pods:
                    pipe.hlen(pool.unacked(pod))
                state, *lengths = await pipe.execute()
        lists = len(pool.lists)
        return QueueState(_state(state) if state else None, queued=sum(lengths[:lists]), held=sum(lengths[lists:]))

    async def books(self, uid: str, units: Units = NONE) -> BrokerBooks:
        """See GroupBroker."""
        keys, later = self._books(uid), [step for step in steps_of(units) if step]
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.smembers(keys.returned)
                pipe.hgetall(keys.attempts)
                pipe.hgetall(keys.losses)
                for step in later:
                    pipe.getrange(keys.released(step), 0, _MOST_BIT_BYTES - 1)
                returned, attempts, losses, *bits = await pipe.execute()
        released = (marked(part).shift(unit_of(0, step)) for step, part in zip(later, bits, strict=True))
        return BrokerBooks(
            FrozenBitMap(_bitmap(returned)), _numbers(attempts), _numbers(losses), Units.union(NONE, *released)
        )

    async def dispatch(self, route: Route, fence: Fence, priority: int, start: int, messages: Sequence[bytes]) -> bool:
        """See GroupBroker."""
        target = self._pool(route.pool).lists[list_number(kombu_priority(priority))]
        names = [self._books(route.uid).state, target]
        args = [fence.nonce, fence.epoch, f"{_CURSOR}{priority}", start, start + len(messages), *messages]
        return bool(await self._redis.run("dispatch", names, args, count))

    async def skip(self, uid: str, fence: Fence, priority: int, start: int, indexes: Indexes) -> bool:
        """See GroupBroker."""
        keys = self._books(uid)
        args = [fence.nonce, fence.epoch, f"{_CURSOR}{priority}", start, start + len(indexes), *indexes]
        return bool(await self._redis.run("skip", [keys.state, keys.returned], args, count))

    async def redispatch(self, route: Route, fence: Fence, entries: Sequence[UnitMessage]) -> BitMap:
        """See GroupBroker."""
        keys = self._books(route.uid)
        names = [keys.state, keys.returned, keys.attempts, *self._pool(route.pool).lists]
        args: list[Any] = [fence.nonce, fence.epoch]
        for entry in entries:
            args += [entry.unit, entry.attempt, list_number(kombu_priority(entry.priority)), entry.message]
        return _bitmap(await self._redis.run("redispatch", names, args, texts))

    async def withdraw(self, route: Route, fence: Fence, pods: Sequence[str], *, running: bool) -> Withdrawn | None:
        """See GroupBroker."""
        return await self._withdrawn(route, fence, pods if running else (), _ALL if running else _WAITING)

    async def stop(self, route: Route, fence: Fence, pods: Sequence[str]) -> Withdrawn | None:
        """See GroupBroker."""
        return await self._withdrawn(route, fence, pods, _UNITS)

    async def _withdrawn(self, route: Route, fence: Fence, pods: Sequence[str], which: int) -> Withdrawn | None:
        """Of the unacked messages those of these pods."""
        keys, pool = self._books(route.uid), self._pool(route.pool)
        names = [keys.state, keys.returned, keys.attempts, *pool.lists]
        names += [key(pod) for pod in pods for key in (pool.unacked, pool.unacked_index)]
        args = [fence.nonce, fence.epoch, route.uid, which, LUA_PATTERN, *LUA_NUMBERS]
        answer = await self._redis.run("withdraw", names, args, _withdrawn)
        if answer is None:
            return None
        epoch, queued, held = answer
        return Withdrawn(Fence(fence.nonce, epoch), _bitmap(queued), _bitmap(held))

    async def renew(
        self, uid: str, fence: Fence, units: Iterable[int], *, forgiven: bool = False
    ) -> dict[int, int] | None:
        """See GroupBroker."""
        wanted, keys = list(units), self._books(uid)
        names = [keys.state, keys.returned, keys.attempts, keys.losses]
        args = [fence.nonce, fence.epoch, int(forgiven), *wanted]
        attempts = await self._redis.run("renew", names, args, counts_or_none)
        if attempts is None:
            return None
        if len(attempts) != len(wanted) or any(attempt > _MOST for attempt in attempts):
            raise foreign_value()
        return dict(zip(wanted, attempts, strict=True))

    async def release(self, uid: str, fence: Fence, units: Units) -> bool:
        """See GroupBroker."""
        keys = self._books(uid)
        for step in steps_of(units):
            names, indexes = [keys.state, keys.returned, keys.released(step)], at_step(units, step)
            args = [fence.nonce, fence.epoch, unit_of(0, step), *indexes]
            if not await self._redis.run("release", names, args, count):
                return False
        return True

    async def mark_missing(self, uid: str, fence: Fence, units: Iterable[int]) -> bool:
        """See GroupBroker."""
        keys = self._books(uid)
        args = [fence.nonce, fence.epoch, *units]
        return bool(await self._redis.run("mark_missing", [keys.state, keys.returned], args, count))

    async def present(self, pool: str, pods: Sequence[str]) -> set[str]:
        """See GroupBroker; all at one instant."""
        keys = self._pool(pool)
        ids = await self._redis.run("present", [*keys.lists, *map(keys.unacked, pods)], [], texts)
        return {value.decode(errors="replace") for value in ids}

    async def erase(self, uid: str, *, tombstone: bool) -> None:
        """See GroupBroker."""
        keys = self._books(uid)
        with broker_errors(self._redis.address):
            async with self._redis.client.pipeline(transaction=True) as pipe:
                pipe.delete(*keys.all, keys.items)
                if tombstone:
                    pipe.hset(keys.state, "nonce", TOMBSTONE)
                    pipe.expire(keys.state, _TOMBSTONE_SECONDS)
                await pipe.execute()

    async def items_part(self, uid: str, number: int | None) -> bytes | None:
        """See GroupBroker."""
        name = HEAD if number is None else str(number)
        with broker_errors(self._redis.address):
            part: Any = await self._redis.client.hget(self._books(uid).items, name)
        return part if isinstance(part, bytes) else None

    async def forget_items(self, uid: str) -> None:
        """See GroupBroker."""
        with broker_errors(self._redis.address):
            await self._redis.client.delete(self._books(uid).items)

    async def owners(self) -> dict[str, Owner]:
        """See GroupBroker."""
        beginning = self._books("").state
        owners: dict[str, Owner] = {}
        async for key in self._redis.scan(beginning, "hash"):
            uid = key.decode(errors="replace").removeprefix(beginning)
            if _UID.fullmatch(uid) and (owner := await self._owner(uid)):
                owners[uid] = owner
        return owners

    async def _owner(self, uid: str) -> Owner | None:
        """Only what the API server would take as names: they go into requests."""
        with broker_errors(self._redis.address):
            text: Any = await self._redis.client.hget(self._books(uid).state, "owner")
        return Owner.parse(text.decode(errors="replace")) if text and _OWNER.fullmatch(text) else None

    def _books(self, uid: str) -> BookKeys:
        return BookKeys(self._prefix, uid)

    def _pool(self, pool: str) -> PoolKeys:
        return PoolKeys(self._prefix, pool)


def _state(fields: Mapping[bytes, bytes]) -> GroupState:
    """BrokerError for what no script of ours has written."""
    try:
        return _parsed(fields)
    except ValueError:
        raise foreign_value() from None


def _parsed(fields: Mapping[bytes, bytes]) -> GroupState:
    cursors = {
        _priority(name.removeprefix(_CURSOR.encode())): _number(value)
        for name, value in fields.items()
        if name.startswith(_CURSOR.encode())
    }
    nonce = fields.get(b"nonce", b"").decode()
    if len(nonce) > _LONGEST_NONCE:
        raise ValueError
    return GroupState(nonce, _number(fields.get(b"epoch", b"0")), cursors)


def _priority(text: bytes) -> int:
    priority = _number(text)
    if priority >= PRIORITIES:
        raise ValueError
    return priority


def _number(text: bytes) -> int:
    """ValueError for what is no number that the operator or its scripts would write."""
    if not _NUMBER.fullmatch(text) or int(text) > _MOST:
        raise ValueError
    return int(text)


def _bitmap(indexes: Iterable[bytes]) -> BitMap:
    try:
        return BitMap([_number(index) for index in indexes])
    except ValueError:
        raise foreign_value() from None


def _numbers(fields: Mapping[bytes, bytes]) -> dict[int, int]:
    """Entries by index; the losses of what is no item are kept under its task id and left out here."""
    try:
        return {_number(name): _number(value) for name, value in fields.items() if name.isdigit()}
    except ValueError:
        raise foreign_value() from None


def _withdrawn(answer: Any) -> tuple[int, list[bytes], list[bytes]] | None:
    """The epoch, and the indexes from the lists and from the workers."""
    if answer is None:
        return None
    epoch, queued, held = triple(answer)
    return count(epoch), texts(queued), texts(held)


def _flat(numbers: Mapping[int, int]) -> list[int]:
    return [part for pair in numbers.items() for part in pair]
