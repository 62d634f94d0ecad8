"""The fan-in: a callback is a stage that begins when enough items have succeeded, and ends before the group does."""

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState, TaskGroupStatus
from taskgroup.core.groups.stage_progress import has_ended, stage_status, to_release
from taskgroup.core.groups.success import is_met
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_units
from taskgroup.core.units import Units

_UNITS = stage_units(Stage.CALLBACK)


def has_begun(ledger: Ledger, status: TaskGroupStatus) -> bool:
    """Whether a callback was let go, as the books or the written status tell."""
    if _UNITS.intersect(ledger.released | ledger.passed) or _UNITS.intersect(Units(list(ledger.stage_failures))):
        return True
    return status.callback is not None and status.callback.state is not StageState.PENDING


def to_begin(ledger: Ledger, work: Work, spec: TaskGroupSpec) -> Units:
    """The callback's first unit, when its time has come."""
    units = work.stage(Stage.CALLBACK)
    if not units or ledger.unfinished or work.awaits_items or not is_met(ledger, spec):
        return NONE
    return to_release(Stage.CALLBACK, ledger)


def is_open(ledger: Ledger, work: Work, spec: TaskGroupSpec) -> bool:
    """Whether, of items that all have ended, a callback is left to run."""
    callback = stage_status(Stage.CALLBACK, ledger, work)
    return callback is not None and is_met(ledger, spec) and not has_ended(callback)
