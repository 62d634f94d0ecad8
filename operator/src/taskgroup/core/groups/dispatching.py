"""Which units go on the queue now: by priority; those that came back before new ones, later steps before first ones."""

from collections.abc import Generator, Iterator

from taskgroup.core.action import Action
from taskgroup.core.groups.plan import Dispatch, Redispatch, Skip
from taskgroup.core.hooks import HOOK_UNITS
from taskgroup.core.indexes import NONE
from taskgroup.core.items.lanes import Lane
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import Units

BATCH = 5_000
"""Units in one action: a plan is carried out in small steps."""
_REASON = "The window has room."
_AROUND = "Some of the next items have ended, wait for their time, or no worker knows their task."


def dispatch(ledger: Ledger, lanes: tuple[Lane, ...], room: int, held_back: Units = NONE) -> Iterator[Action]:
    """At most `room` units, none of those that are held back."""
    for lane in lanes:
        if room <= 0:
            return
        for members in _returned(ledger, lane, held_back):
            again = members[:room]
            room -= len(again)
            yield from (Redispatch(part, reason=_REASON) for part in batches(again))
        start = ledger.cursors.get(lane.priority, 0)
        fresh = lane.indexes[start : start + room]
        # Ends that are known from the status alone may lie beyond a cursor that was lost with the broker's data.
        if fresh.intersect(held_back) or fresh.intersect(ledger.ended):
            room -= yield from _around(lane, start, room, held_back | ledger.ended)
            continue
        room -= len(fresh)
        for part in batches(fresh):
            yield Dispatch(lane.priority, start, part, reason=_REASON)
            start += len(part)


def _returned(ledger: Ledger, lane: Lane, held_back: Units) -> Iterator[Units]:
    """An item that was begun is ended before another one is begun."""
    if ledger.returned:
        yield (ledger.returned & lane.later) - held_back
        yield (ledger.returned & lane.indexes) - held_back


def _around(lane: Lane, start: int, room: int, held_back: Units) -> Generator[Action, None, int]:
    """A cursor cannot leave holes, so what is held back joins what came back. Returns how many items are sent."""
    rest = lane.indexes[start:]
    if not rest - held_back:
        return 0
    block = rest[:BATCH]
    yield Skip(lane.priority, start, block, reason=_AROUND)
    sent = (block - held_back)[:room]
    if sent:
        yield Redispatch(sent, reason=_REASON)
    return len(sent)


def batches(units: Units) -> Iterator[Units]:
    """The units in parts of at most BATCH."""
    for start in range(0, len(units), BATCH):
        yield units[start : start + BATCH]


def waiting(ledger: Ledger, in_flight: Units) -> int:
    """Items of which nothing is in flight, and that have not ended; and hooks that were let go and not sent."""
    hooks = ledger.returned.intersection_cardinality(HOOK_UNITS)
    return max(0, ledger.unfinished - ledger.count_items(in_flight)) + hooks
