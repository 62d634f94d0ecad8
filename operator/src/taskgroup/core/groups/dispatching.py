"""Which items go on the queue now: by priority, then by index; those that came back before new ones."""

from collections.abc import Iterator

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.action import Action
from taskgroup.core.groups.plan import Dispatch, Redispatch
from taskgroup.core.items.work import Lane
from taskgroup.core.ledger import Ledger

BATCH = 5_000
"""Items in one action: a plan is carried out in small steps."""
_REASON = "The window has room."


def dispatch(ledger: Ledger, lanes: tuple[Lane, ...], room: int) -> Iterator[Action]:
    """At most `room` items."""
    for lane in lanes:
        again = (ledger.returned & lane.indexes)[:room] if ledger.returned else FrozenBitMap()
        if again:
            room -= len(again)
            yield from (Redispatch(part, reason=_REASON) for part in _batches(again))
        start = ledger.cursors.get(lane.priority, 0)
        fresh = lane.indexes[start : start + room]
        room -= len(fresh)
        for part in _batches(fresh):
            yield Dispatch(lane.priority, start, part, reason=_REASON)
            start += len(part)
        if room <= 0:
            return


def _batches(indexes: FrozenBitMap) -> Iterator[FrozenBitMap]:
    for start in range(0, len(indexes), BATCH):
        yield indexes[start : start + BATCH]


def first_waiting(ledger: Ledger, lanes: tuple[Lane, ...]) -> Iterator[Action]:
    """A single item, to see what happens to it."""
    yield from dispatch(ledger, lanes, 1)


def waiting(ledger: Ledger, in_flight: BitMap | FrozenBitMap) -> int:
    """Items that are not in flight and have not ended."""
    return ledger.unfinished - len(in_flight)
