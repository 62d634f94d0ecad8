"""options.countdownSeconds: held by the operator, because in a worker it would take a slot and die with it.

The turn of an item's first task comes with the start of the group; that of a later step, or of what runs once for the
group, is written into the ledger when it is first seen.
"""

from dataclasses import replace
from functools import lru_cache
from math import ceil
from types import MappingProxyType

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.groups.context import Context
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.work import Work
from taskgroup.core.status.conditions import seconds
from taskgroup.core.units import STEP_SIZE, Units


def noted(context: Context) -> Context:
    """With the turns that have come since the last look."""
    ledger, work = context.ledger, context.work
    if not _has_any(work):
        return context
    waiting = ((ledger.returned | ledger.due) & work.units) - full(STEP_SIZE)
    turns = {unit: turn for unit, turn in ledger.turns.items() if unit not in ledger.over}
    fresh = [unit for unit in waiting if unit not in turns and work.leaf(unit).options.countdown_seconds]
    turns |= dict.fromkeys(fresh, ceil(context.now))
    return replace(context, ledger=replace(ledger, turns=MappingProxyType(turns)))


def held_back(context: Context) -> Units:
    """Units whose time has not come."""
    if not _has_any(context.work):
        return NONE
    first = (units for time, units in _firsts(context) if time > context.now)
    return Units.union(NONE, *first, FrozenBitMap(unit for unit, time in _laters(context) if time > context.now))


def next_in(context: Context) -> float | None:
    """Seconds until the next one's time comes."""
    if context.spec.suspend or not _has_any(context.work):
        return None
    times = [time for time, _ in _firsts(context)] + [time for _, time in _laters(context)]
    return min((time - context.now for time in times if time > context.now), default=None)


def _has_any(work: Work) -> bool:
    return any(leaf.options.countdown_seconds for leaf in work.kinds)


def _firsts(context: Context) -> list[tuple[float, Units]]:
    """First tasks of items, by the time from which they may run."""
    start = context.seen.status.start_time
    if start is None:
        return []
    return [(seconds(start) + wait, units) for wait, units in _by_countdown(context.work)]


@lru_cache(maxsize=16)
def _by_countdown(work: Work) -> tuple[tuple[int, Units], ...]:
    """Only a list of tasks has different ones."""
    if work.total and len(work.kinds) == 1:
        wait = work.kinds[0].options.countdown_seconds
        return ((wait, full(work.total)),) if wait else ()
    found: dict[int, BitMap] = {}
    for index in range(work.total):
        if wait := work.leaf(index).options.countdown_seconds:
            found.setdefault(wait, BitMap()).add(index)
    return tuple((wait, FrozenBitMap(indexes)) for wait, indexes in found.items())


def _laters(context: Context) -> list[tuple[int, float]]:
    leaf = context.work.leaf
    return [(unit, turn + (leaf(unit).options.countdown_seconds or 0)) for unit, turn in context.ledger.turns.items()]
