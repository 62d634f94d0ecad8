"""The first arguments of spec.onItemFailure: which task has failed, for which item, and why."""

from collections.abc import Sequence
from typing import Any

from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import is_collective
from taskgroup.core.groups.accounting import of_step
from taskgroup.core.hooks import Hook, hook_of, hook_units, items_of_hook
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units, index_of, unit_of
from taskgroup.results.port import Results

UNKNOWN = Failure("Unknown", "The record of this failure is gone.")


def after(unit: int, work: Work, ledger: Ledger) -> int:
    """The unit of the item whose end a hook follows: its last one, or the step that has failed."""
    index = index_of(unit)
    if hook_of(unit) is Hook.ON_ITEM_SUCCESS:
        return unit_of(index, work.steps_of(index) - 1)
    steps = (unit_of(index, step) for step in range(work.steps_of(index)))
    return next((step for step in steps if step not in ledger.passed), index)


def failed_hooks(units: Units) -> Units:
    """Those among the units that are told of a failure."""
    return hook_units(Hook.ON_ITEM_FAILURE, items_of_hook(Hook.ON_ITEM_FAILURE, units))


async def failure_arguments(
    units: Sequence[int], results: Results, uid: str, work: Work, ledger: Ledger
) -> dict[int, list[Any]]:
    """For each hook the id of the task, the item's index, and the error."""
    ids = {unit: newest_id(uid, after(unit, work, ledger), ledger.attempts) for unit in units}
    known = {unit: _known(index_of(unit), ledger) for unit in units}
    unclear = [unit for unit in units if is_collective(known[unit])]
    ended = await results.ended([ids[unit] for unit in unclear]) if unclear else {}
    for unit in unclear:
        if (why := ended.get(ids[unit])) is not None:
            known[unit] = of_step(why, after(unit, work, ledger), work)
    return {unit: [ids[unit], index_of(unit), _error(known[unit])] for unit in units}


def _known(index: int, ledger: Ledger) -> Failure:
    group = ledger.failure_of(index)
    return group.failure if group else UNKNOWN


def _error(why: Failure) -> dict[str, str]:
    """Names are those of the status."""
    return {"reason": why.reason, "message": why.message}
