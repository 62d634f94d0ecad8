"""`Results` in memory."""

from collections.abc import Callable, Sequence
from typing import Any

from pyroaring import FrozenBitMap

from support.memory.store import nothing
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.task_id import TaskId
from taskgroup.results.decode import MAX_BYTES, StoredResult
from taskgroup.results.port import Ends
from taskgroup.transport.errors import BrokerError


class MemoryResults:
    """Task id to its failure, or None for SUCCESS."""

    address = "memory"

    def __init__(self, effect: Callable[[], None] = nothing) -> None:
        self.ends: dict[str, Failure | None] = {}
        self.trouble: BrokerError | None = None
        self.value_of: Callable[[str], Any] = lambda _: None
        """What a task returns, by its id."""
        self.retrying = set[str]()
        """Whose task asked to be run again, whether or not it has ended since."""
        self.all_ends = dict[str, list[bool]]()
        """Task id to whether it ended well, each time that it ended, whatever became of the result."""
        self._effect = effect

    def store(self, name: str, failure: Failure | None) -> None:
        """What a worker does: SUCCESS is never overwritten."""
        self.all_ends.setdefault(name, []).append(failure is None)
        if self.ends.get(name, failure) is not None or name not in self.ends:
            self.ends[name] = failure

    def ask_again(self, name: str) -> None:
        """What a worker does when the task calls `self.retry`."""
        self.retrying.add(name)

    def lose_all(self) -> None:
        """Every key is gone."""
        self.ends.clear()
        self.retrying.clear()

    async def ping(self) -> None:
        """See Results."""
        if self.trouble is not None:
            raise self.trouble

    async def ended(self, ids: Sequence[str]) -> Ends:
        """See Results."""
        await self.ping()
        ends = {name: self.ends[name] for name in ids if name in self.ends}
        return Ends(ends, retrying=frozenset(self.retrying.intersection(ids)) - ends.keys())

    async def values(self, ids: Sequence[str], most_bytes: int = MAX_BYTES) -> list[StoredResult | None]:
        """See Results."""
        del most_bytes
        await self.ping()
        return [self._value(name) if name in self.ends else None for name in ids]

    async def sizes(self, ids: Sequence[str]) -> list[int]:
        """See Results; every result has one byte here."""
        await self.ping()
        return [int(name in self.ends) for name in ids]

    def _value(self, name: str) -> StoredResult:
        failure = self.ends[name]
        if failure is None:
            return StoredResult("SUCCESS", self.value_of(name))
        return StoredResult("FAILURE", {"exc_type": failure.reason, "exc_message": [failure.message]})

    async def delete(self, ids: Sequence[str]) -> None:
        """See Results."""
        await self.ping()
        self._effect()
        for name in ids:
            self.ends.pop(name, None)
            self.retrying.discard(name)
        self._effect()


def completion(item: TaskId, failure: Failure | None) -> Completions:
    """An end, as the sweep delivers it."""
    if failure is None:
        return Completions(FrozenBitMap([item.unit]))
    return Completions(failed={item.unit: failure})
