"""Stored values that nobody wants any more: of steps before the last, and of tasks with ignoreResult."""

from pyroaring import FrozenBitMap

from taskgroup.core.groups import item_hooks
from taskgroup.core.groups.context import Context
from taskgroup.core.hooks import Hook, items_of_hook
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.units import Units, units_of


def forgotten(context: Context) -> Units:
    """Units that have newly ended, or whose values were kept for a hook that has."""
    work, ledger, before = context.work, context.ledger, context.seen.ledger
    fresh = ledger.succeeded - before.succeeded
    units = units_of(fresh, work.steps) & (ledger.passed | work.last)
    steps = units - work.last
    if not work.ignores_results:
        return steps
    hooks = item_hooks.ended(ledger) - item_hooks.ended(before)
    last = _followed_by(hooks, work) if work.hooks_take_results else units & work.last
    return steps | _ignored(last | (hooks & ledger.passed), work)


def kept_for_hooks(context: Context) -> Units:
    """Values that were kept for hooks which will never run, because the group ends before them."""
    work = context.work
    if not work.ignores_results or not work.hooks_take_results:
        return NONE
    return _ignored(_followed_by(item_hooks.pending(context.ledger, work), work), work)


def _followed_by(hooks: Units, work: Work) -> Units:
    """The last units of the items whose successes these hooks follow."""
    return units_of(items_of_hook(Hook.ON_ITEM_SUCCESS, hooks) & work.entries, work.steps) & work.last


def _ignored(units: Units, work: Work) -> Units:
    return FrozenBitMap(unit for unit in units if work.leaf(unit).options.ignore_result)
