"""What became of a task or chain that runs once for the group, as the ledger tells it."""

from collections.abc import Mapping

from pyroaring import FrozenBitMap

from taskgroup.api.status import StageState, StageStatus, TaskGroupStatus
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.text import shortened
from taskgroup.core.units import Units

_MESSAGE_LENGTH = 1_024
_REASON_LENGTH = 256
STATUS_FIELDS = {Stage.BEFORE: "before", Stage.CALLBACK: "callback", Stage.ON_FAILURE: "on_failure"}
"""Where the status tells of each."""


def stage_status(stage: Stage, ledger: Ledger, work: Work, result: str | None = None) -> StageStatus | None:
    """None where there is no such stage; `result` is its value as JSON, if it can be shown."""
    units = work.stage(stage)
    if not units:
        return None
    failure = next((why for unit, why in ledger.stage_failures.items() if unit in units), None)
    if failure is not None:
        return failed_with(failure.reason, failure.message)
    if units <= ledger.passed:
        return StageStatus(state=StageState.SUCCEEDED, result=result)
    begun = bool(units & (ledger.released | ledger.passed))
    return StageStatus(state=StageState.RUNNING if begun else StageState.PENDING)


def to_release(stage: Stage, ledger: Ledger) -> Units:
    """Its first unit, until it was let go."""
    return FrozenBitMap([stage_unit(stage)]) - ledger.released - ledger.passed


def failed_with(reason: str, message: str) -> StageStatus:
    """A failure, in as many words as the status has room for."""
    return StageStatus(
        state=StageState.FAILED, reason=reason[:_REASON_LENGTH], message=shortened(message, _MESSAGE_LENGTH)
    )


def has_ended(status: StageStatus) -> bool:
    """Whether it ran to an end, good or bad."""
    return status.state in (StageState.SUCCEEDED, StageState.FAILED)


def written_stages(status: TaskGroupStatus) -> dict[Stage, StageStatus]:
    """As the status shows them."""
    shown = {stage: getattr(status, field) for stage, field in STATUS_FIELDS.items()}
    return {stage: one for stage, one in shown.items() if one is not None}


def at_end(stages: Mapping[Stage, StageStatus]) -> dict[Stage, StageStatus]:
    """What is written of them when the group ends: what has not ended never will."""
    cancelled = StageStatus(state=StageState.CANCELLED)
    return {stage: status if has_ended(status) else cancelled for stage, status in stages.items()}
