"""options.countdownSeconds: held by the operator, because in a worker it would take a slot and die with it.

The turn of an item's first task comes with the start of the group; that of a later step, or of what runs once for the
group, is written into the ledger when it is first seen.
"""

from dataclasses import replace
from math import ceil
from types import MappingProxyType

from pyroaring import FrozenBitMap

from taskgroup.core.groups import callback, item_hooks
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.retrying import SOON_SECONDS, prepared_in
from taskgroup.core.indexes import NONE, full
from taskgroup.core.status.conditions import seconds
from taskgroup.core.units import STEP_SIZE, Units, without_items


def noted(context: Context) -> Context:
    """With the turns that have come since the last look."""
    ledger, work = context.ledger, context.work
    if not work.has_countdowns:
        return context
    begins = item_hooks.to_begin(ledger, work) | callback.to_begin(ledger, work, context.spec)
    waiting = ((ledger.returned | ledger.due | begins) & work.units) - full(STEP_SIZE)
    turns = {unit: turn for unit, turn in ledger.turns.items() if unit not in ledger.over}
    fresh = [unit for unit in waiting if unit not in turns and work.leaf(unit).options.countdown_seconds]
    turns |= dict.fromkeys(fresh, ceil(context.now))
    return replace(context, ledger=replace(ledger, turns=MappingProxyType(turns)))


def held_back(context: Context) -> Units:
    """Units whose time has not come."""
    return _after(context, context.now)


def far(context: Context) -> Units:
    """Units that wait so long that no worker is kept for them."""
    return without_items(_after(context, context.now + SOON_SECONDS), context.ledger.ended)


def _after(context: Context, moment: float) -> Units:
    if not context.work.has_countdowns:
        return NONE
    first = (units for time, units in _firsts(context) if time > moment)
    return Units.union(NONE, *first, FrozenBitMap(unit for unit, time in _laters(context) if time > moment))


def next_in(context: Context) -> float | None:
    """Seconds until the next one's time comes, or until a worker is wanted for it."""
    if context.spec.suspend or not context.work.has_countdowns:
        return None
    times = [time for time, _ in _firsts(context)] + [time for _, time in _laters(context)]
    return min((prepared_in(time - context.now) for time in times if time > context.now), default=None)


def _firsts(context: Context) -> list[tuple[float, Units]]:
    """First tasks of items, by the time from which they may run."""
    start = context.seen.status.start_time
    if start is None:
        return []
    return [(seconds(start) + wait, units) for wait, units in context.work.countdowns]


def _laters(context: Context) -> list[tuple[int, float]]:
    leaf = context.work.leaf
    return [(unit, turn + (leaf(unit).options.countdown_seconds or 0)) for unit, turn in context.ledger.turns.items()]
