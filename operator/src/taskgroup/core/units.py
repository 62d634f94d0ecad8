"""What is dispatched, counted, retried and found missing: a unit, one message.

An item whose signature is one task is one unit, and its number is the item's index. A chain has one unit for each of
its steps: the number is made of the index and the step, so that sets of units are sets of numbers, and those of one
step are the items moved by a constant. Of an item at most one unit is on its way at any time.
"""

from collections.abc import Iterable

from pyroaring import FrozenBitMap

from taskgroup.core.indexes import NONE, Indexes, full

STEP_SIZE = 2**24
"""Distance between two steps of an item; no group has so many items."""
MAX_STEPS = 32
"""Of one chain."""
LIMIT = 2**31
"""No unit has such a number: behind those of items there are those of stages and hooks (see `stages`, `hooks`)."""

Units = FrozenBitMap
_FIRST = full(STEP_SIZE)
"""All units that can be the first one of an item."""
ITEM_UNITS = full(MAX_STEPS * STEP_SIZE)
"""All units that items can have."""


def units_from(numbers: Iterable[int]) -> Units:
    """The numbers that can be units: they may come from the broker, where tenants can write."""
    return FrozenBitMap(number for number in numbers if number < LIMIT)


def unit_of(index: int, step: int) -> int:
    """The unit of an item's step, counted from 0."""
    return step * STEP_SIZE + index


def index_of(unit: int) -> int:
    """The item."""
    return unit % STEP_SIZE


def step_of(unit: int) -> int:
    """The step, counted from 0."""
    return unit // STEP_SIZE


def steps_in(units: Units) -> int:
    """How many steps there are at least, when these units exist."""
    return step_of(units.max()) + 1 if units else 0


def steps_of(units: Units) -> list[int]:
    """Each step of which a unit is there; takes time for the steps, not for the units."""
    found, start = list[int](), 0
    while units and start <= units.max():
        found.append(step_of(units.next_set_bit(start)))
        start = unit_of(0, found[-1] + 1)
    return found


def items_of(units: Units) -> Indexes:
    """The items that these units, all of which are items', belong to."""
    if steps_in(units) <= 1:
        return units
    return FrozenBitMap.union(*(at_step(units, step) for step in steps_of(units)))


def units_of(items: Indexes, steps: int) -> Units:
    """All units that these items can have."""
    if steps <= 1 or not items:
        return items
    return FrozenBitMap.union(*(items.shift(step * STEP_SIZE) for step in range(steps)))


def without_items(units: Units, items: Indexes) -> Units:
    """The units of all other items, and of stages and hooks."""
    if steps_in(units) <= 1:
        return units - items
    own = (items.shift(unit_of(0, step)) for step in steps_of(units) if step < MAX_STEPS)
    return units - FrozenBitMap.union(NONE, *own)


def after(units: Units) -> Units:
    """The unit that follows each of these in its chain."""
    return units.shift(STEP_SIZE)


def before(units: Units) -> Units:
    """The unit that each of these follows; none for a first step."""
    return units.shift(-STEP_SIZE)


def at_step(units: Units, step: int) -> Indexes:
    """The items of which this step is among the units."""
    return units.shift(-step * STEP_SIZE) & _FIRST


def counts_by_step(units: Units, steps: int) -> tuple[int, ...]:
    """How many units there are of each of the first steps; takes no time for the units."""
    return tuple(units.range_cardinality(unit_of(0, step), unit_of(0, step + 1)) for step in range(steps))
