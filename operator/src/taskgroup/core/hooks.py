"""What runs once for an item that has ended: a hook, a task of its own beside those of the item.

A hook has one unit for each item, so that books, sweep and recovery serve it, too; their numbers are behind those of
stages.
"""

from enum import StrEnum

from pyroaring import FrozenBitMap

from taskgroup.core.indexes import Indexes, full
from taskgroup.core.stages import STAGES_END
from taskgroup.core.units import STEP_SIZE, Units, at_step, step_of, unit_of


class Hook(StrEnum):
    """Named as the field of the spec; the name is a part of task ids."""

    ON_ITEM_SUCCESS = "onItemSuccess"
    ON_ITEM_FAILURE = "onItemFailure"


_STEP = {hook: STAGES_END + 3 + 2 * number for number, hook in enumerate(Hook)}
"""No hook's step follows another one: what comes after a step is the next one of its chain, and hooks have none. A new
hook comes last, so that the units of the others stay what books say they are."""
_HOOK = {step: hook for hook, step in _STEP.items()}

ALL_STEPS = max(_STEP.values()) + 1
"""Steps of items, stages and hooks."""
EVERY_STEP: Units = FrozenBitMap(unit_of(0, step) for step in range(ALL_STEPS))
"""One unit of each step that there can be."""


def hook_units(hook: Hook, items: Indexes) -> Units:
    """Those of these items."""
    return items.shift(unit_of(0, _STEP[hook]))


def items_of_hook(hook: Hook, units: Units) -> Indexes:
    """The items whose units of this hook are among these."""
    return at_step(units, _STEP[hook])


def all_hooks(items: Indexes) -> Units:
    """All units of hooks that these items can have."""
    return FrozenBitMap.union(*(hook_units(hook, items) for hook in Hook))


HOOK_UNITS: Units = all_hooks(full(STEP_SIZE))
"""All units that hooks can have."""


def hook_unit(hook: Hook, index: int) -> int:
    """The one of an item."""
    return unit_of(index, _STEP[hook])


def hook_of(unit: int) -> Hook | None:
    """Whose unit it is; None for one of an item or a stage."""
    return _HOOK.get(step_of(unit))


def first_hooks() -> dict[str, int]:
    """Name of each hook, with the dot before it that tells it from a stage, to its unit for the item with index 0."""
    return {f".{hook}": hook_unit(hook, 0) for hook in Hook}
