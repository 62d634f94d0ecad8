"""Stored values that nobody wants any more: of steps before the last, of hooks, and of tasks with ignoreResult."""

from pyroaring import FrozenBitMap

from taskgroup.core.groups import item_hooks
from taskgroup.core.groups.context import Context
from taskgroup.core.hooks import HOOK_UNITS, Hook, hook_units
from taskgroup.core.units import Units, units_of


def forgotten(context: Context) -> Units:
    """Units that have newly ended, or whose values were kept for a hook that has."""
    work, ledger, before = context.work, context.ledger, context.seen.ledger
    fresh = ledger.succeeded - before.succeeded
    units = units_of(fresh, work.steps) & (ledger.passed | work.last)
    hooks = (ledger.passed - before.passed) & HOOK_UNITS
    steps = (units - work.last) | hooks
    if not work.ignores_results:
        return steps
    last = _after_hooks(context) if work.hooks_take_results else units & work.last
    return steps | FrozenBitMap(unit for unit in last if work.leaf(unit).options.ignore_result)


def _after_hooks(context: Context) -> Units:
    """The last units of items whose hooks have newly ended."""
    work = context.work
    fresh = item_hooks.ended(context.ledger) - item_hooks.ended(context.seen.ledger)
    items = work.entries & fresh.shift(-hook_units(Hook.ON_ITEM_SUCCESS, FrozenBitMap([0])).max())
    return units_of(items, work.steps) & work.last
