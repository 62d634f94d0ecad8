"""The fan-in: a callback is a stage that begins when enough items have succeeded, and ends before the group does."""

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import CallbackState, CallbackStatus, TaskGroupStatus
from taskgroup.core.groups.success import is_met
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS, Stage, stage_unit
from taskgroup.core.text import shortened
from taskgroup.core.units import Units

_MESSAGE_LENGTH = 1_024


def callback_status(ledger: Ledger, work: Work, result: str | None) -> CallbackStatus | None:
    """What became of the callback, None where there is none; `result` is its value as JSON, if it can be shown."""
    units = work.stage(Stage.CALLBACK)
    if not units:
        return None
    failure = next((why for unit, why in ledger.stage_failures.items() if unit in units), None)
    if failure is not None:
        message = shortened(failure.message, _MESSAGE_LENGTH)
        return CallbackStatus(state=CallbackState.FAILED, reason=failure.reason[:256], message=message)
    if units <= ledger.passed:
        return CallbackStatus(state=CallbackState.SUCCEEDED, result=result)
    begun = bool(units & (ledger.released | ledger.passed))
    return CallbackStatus(state=CallbackState.RUNNING if begun else CallbackState.PENDING)


def has_ended(callback: CallbackStatus) -> bool:
    """Whether it ran to an end, good or bad."""
    return callback.state in (CallbackState.SUCCEEDED, CallbackState.FAILED)


def has_begun(ledger: Ledger, status: TaskGroupStatus) -> bool:
    """Whether a callback was let go, as the books or the written status tell."""
    if STAGE_UNITS.intersect(ledger.released | ledger.passed) or ledger.stage_failures:
        return True
    return status.callback is not None and status.callback.state is not CallbackState.PENDING


def at_end(callback: CallbackStatus | None) -> CallbackStatus | None:
    """What is written of it when the group ends: one that has not ended never will."""
    if callback is None or has_ended(callback):
        return callback
    return CallbackStatus(state=CallbackState.CANCELLED)


def to_begin(ledger: Ledger, work: Work, spec: TaskGroupSpec) -> Units:
    """The callback's first unit, when its time has come."""
    units = work.stage(Stage.CALLBACK)
    if not units or ledger.unfinished or not is_met(ledger, spec):
        return NONE
    return Units([stage_unit(Stage.CALLBACK)]) - ledger.released - ledger.passed


def is_open(ledger: Ledger, work: Work, spec: TaskGroupSpec) -> bool:
    """Whether, of items that all have ended, a callback is left to run."""
    callback = callback_status(ledger, work, None)
    return callback is not None and is_met(ledger, spec) and not has_ended(callback)
