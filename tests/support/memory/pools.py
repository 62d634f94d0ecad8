"""`PoolBroker` and `Inspection` in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from support.memory.store import Books, Held, Message, Store
from taskgroup.broker.port import Requeued
from taskgroup.core.exchange import MAX_SHARED_LOSSES
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
        held = {pod: len(self._store.hands.get((pool, pod), ())) for pod in pods}
        return PoolQueue(len(self._store.queues.get(pool, ())), held)

    async def requeue(
        self,
        pool: str,
        pod: str,
        groups: Iterable[str],
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
            place = self._place(pool, held, uids, rules)
            if place == "queue":
                store.queues.setdefault(pool, []).insert(0, held.message)
            elif place == "given up" and held.message.item:
                given_up.add(held.message.item)
            set_aside += place == "set aside"
        store.effect()
        return Requeued(frozenset(given_up), set_aside)

    def _place(self, pool: str, held: Held, uids: frozenset[str], rules: "_Rules") -> str:
        """Where a message goes; nowhere when its item has its place elsewhere."""
        item = held.message.item
        uid = item.uid if item and item.uid in uids else pool
        if uid in self._store.tombstones:
            return ""
        books = self._store.books.setdefault(uid, Books(""))
        if item is None or item.uid != uid:
            return "queue"
        if not books.is_newest(item) or item.index in books.returned:
            return ""
        losses = rules.count(books, item.index)
        if losses > rules.limit:
            return "given up"
        if not 0 < rules.suspect <= losses or held.message.retries:
            return "queue"
        books.returned.add(item.index)
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


@dataclass(frozen=True, slots=True)
class _Rules:
    counting: bool
    limit: int
    suspect: int
    is_alone: bool

    def count(self, books: Books, index: int) -> int:
        """How many losses count against the item by now; 0 when this one is nobody's."""
        if not self.counting:
            return 0
        if not self.is_alone and books.losses[index] >= self.limit:
            books.shared[index] += 1
            if books.losses[index] + books.shared[index] <= MAX_SHARED_LOSSES:
                return books.losses[index]
        books.losses[index] += 1
        return books.losses[index]


class MemoryInspection:
    """Live workers answer at once with what they hold."""

    def __init__(self, store: Store, live_pods: Callable[[], Iterable[str]]) -> None:
        self._store = store
        self._live_pods = live_pods

    async def active_ids(self, pods: Sequence[str], wait_seconds: float) -> dict[str, set[str]]:
        """See Inspection."""
        del wait_seconds
        return {pod: {message.id for message in self._held(pod)} for pod in pods if pod in set(self._live_pods())}

    async def early_ack_tasks(self, pod: str, wait_seconds: float) -> frozenset[str] | None:
        """See Inspection."""
        del wait_seconds
        return frozenset() if pod in set(self._live_pods()) else None

    def _held(self, pod: str) -> list[Message]:
        hands = (hand for (_, name), hand in self._store.hands.items() if name == pod)
        return [held.message for hand in hands for held in hand]
