"""Which items go on the queue now: by priority, then by index; those that came back before new ones."""

from collections.abc import Generator, Iterator

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.action import Action
from taskgroup.core.groups.plan import Dispatch, Redispatch, Skip
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Lane
from taskgroup.core.ledger import Ledger

BATCH = 5_000
"""Items in one action: a plan is carried out in small steps."""
_REASON = "The window has room."


def dispatch(ledger: Ledger, lanes: tuple[Lane, ...], room: int, held_back: Indexes = NONE) -> Iterator[Action]:
    """At most `room` items, none of those that are held back."""
    for lane in lanes:
        if room <= 0:
            return
        again = ((ledger.returned & lane.indexes) - held_back)[:room] if ledger.returned else FrozenBitMap()
        if again:
            room -= len(again)
            yield from (Redispatch(part, reason=_REASON) for part in _batches(again))
        start = ledger.cursors.get(lane.priority, 0)
        fresh = lane.indexes[start : start + room]
        # Ends that are known from the status alone may lie beyond a cursor that was lost with the broker's data.
        if fresh.intersect(held_back) or fresh.intersect(ledger.ended):
            room -= yield from _around(lane, start, room, held_back | ledger.ended)
            continue
        room -= len(fresh)
        for part in _batches(fresh):
            yield Dispatch(lane.priority, start, part, reason=_REASON)
            start += len(part)


def _around(lane: Lane, start: int, room: int, held_back: Indexes) -> Generator[Action, None, int]:
    """A cursor cannot leave holes, so what is held back joins what came back. Returns how many items are sent."""
    rest = lane.indexes[start:]
    if not rest - held_back:
        return 0
    block = rest[:BATCH]
    yield Skip(lane.priority, start, block, reason="Some of the next items have ended, or no worker knows their task.")
    sent = (block - held_back)[:room]
    if sent:
        yield Redispatch(sent, reason=_REASON)
    return len(sent)


def _batches(indexes: FrozenBitMap) -> Iterator[FrozenBitMap]:
    for start in range(0, len(indexes), BATCH):
        yield indexes[start : start + BATCH]


def waiting(ledger: Ledger, in_flight: BitMap | FrozenBitMap) -> int:
    """Items that are not in flight and have not ended."""
    return ledger.unfinished - len(in_flight)
