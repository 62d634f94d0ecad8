"""`PoolBroker` and `Inspection` in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from support.memory.store import Books, Held, Store
from taskgroup.broker.port import Requeued
from taskgroup.core.exchange import ANEW, MAX_SHARED_LOSSES
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.pools.claim_history import Claims, Unacked
from taskgroup.core.pools.observed import PoolQueue
from taskgroup.core.task_id import TaskId


class MemoryPools:
    """The pool's side of a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queue(self, pool: str) -> str:
        """See PoolBroker."""
        return f"queue-{pool}"

    def worker_options(self, pool: str, pod: str) -> dict[str, str]:
        """See PoolBroker."""
        return {"hand": f"{pool}/{pod}"}

    async def observe(self, pool: str, pods: Sequence[str]) -> PoolQueue:
        """See PoolBroker."""
        self._store.check()
        hands = {pod: self._store.hands.get((pool, pod), []) for pod in pods}
        held = {pod: len(hand) for pod, hand in hands.items()}
        oldest = {pod: min(one.taken_at for one in hand) for pod, hand in hands.items() if hand}
        return PoolQueue(len(self._store.queues.get(pool, ())), held, oldest, server=1)

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
        """See PoolBroker."""
        store, uids = self._store, frozenset(groups)
        store.check()
        store.effect()
        hand = store.hands.get((pool, pod), [])
        back = [held for held in hand if before is None or held.taken_at <= before]
        hand[:] = [held for held in hand if held not in back]
        rules = _Rules(count_loss, loss_limit, suspect_losses, is_alone=len(back) == 1)
        given_up, set_aside = set[TaskId](), 0
        for held in sorted(back, key=lambda held: held.taken_at, reverse=True):
            item = held.message.item
            is_over = item is not None and item.unit in groups.get(item.uid, NONE)
            place = "" if is_over else self._place(pool, held, uids, rules)
            if place == "queue":
                store.queues.setdefault(pool, []).insert(0, held.message)
            elif place == "given up" and held.message.item:
                given_up.add(held.message.item)
            set_aside += place == "set aside"
        store.effect()
        return Requeued(frozenset(given_up), set_aside, len(hand), losses=rules.died)

    async def unacked(self, pool: str, pods: Sequence[str]) -> Mapping[str, tuple[Unacked, ...]]:
        """See PoolBroker."""
        self._store.check()
        return {pod: tuple(map(_unacked, self._store.hands.get((pool, pod), ()))) for pod in pods}

    async def put_back(
        self, pool: str, pod: str, groups: Iterable[str], tags: frozenset[str], *, anew: bool = False
    ) -> None:
        """See PoolBroker."""
        self._store.check()
        self._store.effect()
        rules = _Rules(False, 0, ANEW if anew else 0, is_alone=False)
        for held in self._released(pool, pod, tags):
            if self._place(pool, held, frozenset(groups), rules) == "queue":
                self._store.queues.setdefault(pool, []).insert(0, held.message)
        self._store.effect()

    async def discard(self, pool: str, pod: str, tags: frozenset[str]) -> None:
        """See PoolBroker."""
        self._store.check()
        self._store.effect()
        self._released(pool, pod, tags)
        self._store.effect()

    def _released(self, pool: str, pod: str, tags: frozenset[str]) -> list[Held]:
        hand = self._store.hands.get((pool, pod), [])
        gone = [held for held in hand if held.tag in tags]
        hand[:] = [held for held in hand if held.tag not in tags]
        return sorted(gone, key=lambda held: held.taken_at, reverse=True)

    def _place(self, pool: str, held: Held, uids: frozenset[str], rules: "_Rules") -> str:
        """Where a message goes; nowhere when its item has its place elsewhere."""
        item = held.message.item
        uid = item.uid if item and item.uid in uids else pool
        if uid in self._store.tombstones:
            return ""
        books = self._store.books.setdefault(uid, Books(""))
        if item is None or item.uid != uid:
            return "queue"
        if not books.is_newest(item) or item.unit in books.returned:
            return ""
        losses = rules.count(books, item.unit)
        if losses > rules.limit:
            return "given up"
        if rules.suspect == 0 or losses < rules.suspect or held.message.retries:
            return "queue"
        books.returned.add(item.unit)
        self._store.sent[held.message.id] -= 1
        return "set aside"

    async def remember_pods(self, pool: str, pods: Iterable[str]) -> int:
        """See PoolBroker."""
        self._store.check()
        known = self._store.remembered.setdefault(pool, set())
        fresh = set(pods) - known
        known |= fresh
        return len(fresh)

    async def forget_pods(self, pool: str, pods: Iterable[str]) -> None:
        """See PoolBroker."""
        self._store.check()
        self._store.remembered.setdefault(pool, set()).difference_update(pods)

    async def stray_pods(self, pool: str) -> set[str]:
        """See PoolBroker."""
        self._store.check()
        return set(self._store.remembered.get(pool, ()))

    async def unacked_pods(self) -> dict[str, set[str]]:
        """See PoolBroker."""
        self._store.check()
        return {pool: set(self._store.held(pool)) for pool, _ in self._store.hands if self._store.held(pool)}

    async def erase(self, pool: str, pods: Sequence[str]) -> None:
        """See PoolBroker."""
        self._store.check()
        self._store.queues.pop(pool, None)
        self._store.remembered.pop(pool, None)
        for pod in pods:
            self._store.hands.pop((pool, pod), None)


@dataclass(slots=True)
class _Rules:
    counting: bool
    limit: int
    suspect: int
    is_alone: bool
    died: int = 0

    def count(self, books: Books, index: int) -> int:
        """How many losses count against the item by now; 0 when this one is nobody's."""
        if not self.counting:
            return 0
        self.died += 1
        if not self.is_alone and books.losses[index] >= self.limit:
            books.shared[index] += 1
            if books.losses[index] + books.shared[index] <= MAX_SHARED_LOSSES:
                return books.losses[index]
        books.losses[index] += 1
        return books.losses[index]


def _unacked(held: Held) -> Unacked:
    return Unacked(tag=held.tag, taken_at=held.taken_at, id=held.message.id)


class MemoryInspection:
    """Live workers answer at once with what they hold."""

    def __init__(self, store: Store, live_pods: Callable[[], Iterable[str]]) -> None:
        self._store = store
        self._live_pods = live_pods

    async def active_ids(self, pods: Sequence[str], wait_seconds: float) -> dict[str, set[str]]:
        """See Inspection."""
        del wait_seconds
        return {pod: self._ids(pod) for pod in pods if pod in set(self._live_pods())}

    async def revoke(self, pods: Sequence[str], ids: Sequence[str]) -> None:
        """See Inspection. What no hand holds any more has no effect here, however long it runs."""

    async def claims(self, pods: Sequence[str], wait_seconds: float) -> dict[str, Claims]:
        """See Inspection."""
        return {pod: Claims(ids=frozenset(ids)) for pod, ids in (await self.active_ids(pods, wait_seconds)).items()}

    def _ids(self, pod: str) -> set[str]:
        hands = (hand for (_, name), hand in self._store.hands.items() if name == pod)
        return {held.message.id for hand in hands for held in hand if not held.dropped}
