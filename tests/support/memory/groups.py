"""`GroupBroker` in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from pyroaring import BitMap, FrozenBitMap

from support.memory.store import Books, Message, Store
from taskgroup.api.signature import Leaf
from taskgroup.broker.envelope import check_headers
from taskgroup.broker.port import Opening, Owner, Route, UnitMessage, Withdrawn
from taskgroup.core.groups.observed import TOMBSTONE, BrokerBooks, Fence, GroupState, QueueState
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units, step_of, steps_of


class MemoryTemplate:
    """Messages that only this broker reads."""

    def __init__(self, leaf: Leaf, uid: str) -> None:
        check_headers(leaf)
        self._leaf = leaf
        self._uid = uid

    def render(
        self, unit: int, attempt: int, args: Sequence[Any], kwargs: Mapping[str, Any], parent: str | None = None
    ) -> bytes:
        """See Template."""
        call = {"task": self._leaf.task, "args": args, "kwargs": kwargs, "parent": parent}
        return orjson.dumps({"id": task_id(self._uid, unit, attempt), "retries": 0, **call})


class MemoryGroups:
    """The group's side of a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def template(self, leaf: Leaf, route: Route) -> MemoryTemplate:
        """See GroupBroker."""
        return MemoryTemplate(leaf, route.uid)

    async def open(self, route: Route, opening: Opening) -> GroupState:
        """See GroupBroker."""
        store = self._store
        store.check()
        if route.uid in store.tombstones:
            return GroupState(TOMBSTONE, 0)
        books = store.books.get(route.uid)
        if books is None or books.nonce == opening.instead_of:
            store.effect()
            store.queues[route.pool] = []
            books = store.books[route.uid] = Books(opening.nonce, owner=opening.owner)
            books.cursors, books.attempts = dict(opening.cursors), dict(opening.attempts)
            books.returned = set(opening.returned)
            store.effect()
        return _state(books)

    async def observe(self, route: Route, pods: Sequence[str]) -> QueueState:
        """See GroupBroker."""
        store = self._store
        store.check()
        held = sum(len(store.hands.get((route.pool, pod), ())) for pod in pods)
        return QueueState(self._observed(route.uid), len(store.queues.get(route.pool, ())), held)

    def _observed(self, uid: str) -> GroupState | None:
        if uid in self._store.tombstones:
            return GroupState(TOMBSTONE, 0)
        return _state(self._store.books[uid]) if uid in self._store.books else None

    async def books(self, uid: str, units: Units = NONE) -> BrokerBooks:
        """See GroupBroker."""
        self._store.check()
        books = self._store.books.get(uid) or Books("")
        known = set(steps_of(units))
        released = FrozenBitMap(unit for unit in books.released if step_of(unit) in known)
        return BrokerBooks(FrozenBitMap(books.returned), dict(books.attempts), dict(books.losses), released)

    async def dispatch(self, route: Route, fence: Fence, priority: int, start: int, messages: Sequence[bytes]) -> bool:
        """See GroupBroker."""
        books = self._store.fenced(route.uid, fence)
        if books is None or books.cursors.get(priority, 0) != start:
            return False
        self._store.effect()
        for raw in messages:
            self._store.push(route.pool, raw, priority)
        books.cursors[priority] = start + len(messages)
        self._store.effect()
        return True

    async def skip(self, uid: str, fence: Fence, priority: int, start: int, indexes: Indexes) -> bool:
        """See GroupBroker."""
        books = self._store.fenced(uid, fence)
        if books is None or books.cursors.get(priority, 0) != start:
            return False
        self._store.effect()
        books.cursors[priority] = start + len(indexes)
        books.returned |= set(indexes)
        self._store.effect()
        return True

    async def redispatch(self, route: Route, fence: Fence, entries: Sequence[UnitMessage]) -> BitMap:
        """See GroupBroker."""
        books, pushed = self._store.fenced(route.uid, fence), BitMap()
        if books is None:
            return pushed
        self._store.effect()
        for entry in entries:
            if entry.unit in books.returned and books.attempts.get(entry.unit, 0) == entry.attempt:
                books.returned.remove(entry.unit)
                self._store.push(route.pool, entry.message, entry.priority)
                pushed.add(entry.unit)
        self._store.effect()
        return pushed

    async def withdraw(self, route: Route, fence: Fence, pods: Sequence[str], *, running: bool) -> Withdrawn | None:
        """See GroupBroker."""
        books = self._store.fenced(route.uid, fence)
        if books is None:
            return None
        self._store.effect()
        books.epoch += 1
        queued = self._drained(route, take_all=running)
        hands = [self._store.hands.pop((route.pool, pod), []) for pod in pods] if running else []
        held = [one.message for hand in hands for one in hand]
        withdrawn = Withdrawn(
            _state(books).fence, _put_back(books, route.uid, queued), _put_back(books, route.uid, held)
        )
        self._store.effect()
        return withdrawn

    async def stop(self, route: Route, fence: Fence, pods: Sequence[str]) -> Withdrawn | None:
        """See GroupBroker."""
        books = self._store.fenced(route.uid, fence)
        if books is None:
            return None
        self._store.effect()
        books.epoch += 1
        queued, queue = self._drained(route, take_all=False), self._store.queues.get(route.pool, [])
        begun = [message for message in queue if message.item is not None and message.item.uid == route.uid]
        queue[:] = [message for message in queue if message not in begun]
        for hand in (self._store.hands.get((route.pool, pod), []) for pod in pods):
            own = [one for one in hand if one.message.item is not None and one.message.item.uid == route.uid]
            hand[:] = [one for one in hand if one not in own]
            begun += [one.message for one in own]
        back = _put_back(books, route.uid, queued)
        running = _put_back(books, route.uid, begun)
        books.attempts |= {unit: books.attempts.get(unit, 0) + 1 for unit in running}
        self._store.effect()
        return Withdrawn(_state(books).fence, back, running)

    def _drained(self, route: Route, *, take_all: bool) -> list[Message]:
        queue, gone = self._store.queues.get(route.pool, []), []
        for message in list(queue):
            item = message.item
            is_fresh = item is not None and item.uid == route.uid and not message.retries
            if take_all or is_fresh:
                queue.remove(message)
                gone.append(message)
                self._store.sent[message.id] -= 1
        return gone

    async def renew(
        self, uid: str, fence: Fence, units: Iterable[int], *, forgiven: bool = False
    ) -> dict[int, int] | None:
        """See GroupBroker."""
        books = self._store.fenced(uid, fence)
        if books is None:
            return None
        self._store.effect()
        attempts = {unit: books.attempts.get(unit, 0) + 1 for unit in units}
        books.attempts |= attempts
        books.returned |= attempts.keys()
        for unit in attempts if forgiven else ():
            books.losses.pop(unit, None)
        self._store.effect()
        return attempts

    async def release(self, uid: str, fence: Fence, units: Units) -> bool:
        """See GroupBroker."""
        books = self._store.fenced(uid, fence)
        if books is None:
            return False
        self._store.effect()
        books.returned |= set(units) - books.released
        books.released |= set(units)
        self._store.effect()
        return True

    async def mark_missing(self, uid: str, fence: Fence, units: Iterable[int]) -> bool:
        """See GroupBroker."""
        books = self._store.fenced(uid, fence)
        if books is None:
            return False
        self._store.effect()
        for unit in units:
            books.returned.add(unit)
            self._store.allowed[task_id(uid, unit, books.attempts.get(unit, 0))] += 1
        self._store.effect()
        return True

    async def present(self, pool: str, pods: Sequence[str]) -> set[str]:
        """See GroupBroker."""
        self._store.check()
        held = (one.message for pod in pods for one in self._store.hands.get((pool, pod), ()))
        return {message.id for message in (*self._store.queues.get(pool, ()), *held)}

    async def erase(self, uid: str, *, tombstone: bool) -> None:
        """See GroupBroker."""
        self._store.check()
        self._store.books.pop(uid, None)
        self._store.items.pop(uid, None)
        (self._store.tombstones.add if tombstone else self._store.tombstones.discard)(uid)

    async def items_part(self, uid: str, number: int | None) -> bytes | None:
        """See GroupBroker."""
        self._store.check()
        return self._store.items.get(uid, {}).get(number)

    async def forget_items(self, uid: str) -> None:
        """See GroupBroker."""
        self._store.check()
        self._store.items.pop(uid, None)

    async def owners(self) -> dict[str, Owner]:
        """See GroupBroker."""
        self._store.check()
        return {uid: books.owner for uid, books in self._store.books.items() if books.owner}


def _state(books: Books) -> GroupState:
    return GroupState(books.nonce, books.epoch, dict(books.cursors))


def _put_back(books: Books, uid: str, messages: Iterable[Message]) -> BitMap:
    """A message of an older attempt is superseded: its unit has its place elsewhere."""
    ids = (message.item for message in messages)
    back = BitMap([one.unit for one in ids if one and one.uid == uid and books.is_newest(one)])
    books.returned |= set(back)
    return back
