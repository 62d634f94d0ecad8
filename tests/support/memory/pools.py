"""`PoolBroker` and `Inspection` in memory."""

from collections.abc import Callable, Iterable, Sequence

from support.memory.store import Books, Held, Message, Store
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
        self, pool: str, pod: str, groups: Iterable[str], *, before: float | None, count_loss: bool, loss_limit: int
    ) -> frozenset[TaskId]:
        """See PoolBroker."""
        store, uids = self._store, frozenset(groups)
        store.check()
        store.effect()
        hand = store.hands.get((pool, pod), [])
        back = [held for held in hand if before is None or held.taken_at <= before]
        hand[:] = [held for held in hand if held not in back]
        given_up = set[TaskId]()
        for held in sorted(back, key=lambda held: held.taken_at, reverse=True):
            self._put_first(pool, held, uids, count_loss, loss_limit, given_up)
        store.effect()
        return frozenset(given_up)

    def _put_first(
        self, pool: str, held: Held, uids: frozenset[str], count_loss: bool, limit: int, given_up: set[TaskId]
    ) -> None:
        item = held.message.item
        uid = item.uid if item and item.uid in uids else pool
        if uid in self._store.tombstones:
            return
        books = self._store.books.setdefault(uid, Books(""))
        if item is not None and item.uid == uid:
            if not books.is_newest(item) or item.index in books.returned:
                return
            if count_loss and _counted(books, item) > limit:
                given_up.add(item)
                return
        self._store.queues.setdefault(pool, []).insert(0, held.message)

    async def stray_pods(self, pool: str) -> set[str]:
        """See PoolBroker."""
        self._store.check()
        return set(self._store.held(pool))

    async def erase(self, pool: str, pods: Sequence[str]) -> None:
        """See PoolBroker."""
        self._store.check()
        self._store.queues.pop(pool, None)
        for pod in pods:
            self._store.hands.pop((pool, pod), None)


def _counted(books: Books, item: TaskId) -> int:
    books.losses[item.index] += 1
    return books.losses[item.index]


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
