"""The ledger as far as the status tells it, for readers who may see the TaskGroup but not its ledger."""

from pyroaring import FrozenBitMap

from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import FailureStatus, TaskGroupStatus
from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import FailureGroup
from taskgroup.core.indexes import NONE, parse_indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import is_true, seconds

_UNSAID = Failure(Reason.UNKNOWN, "It failed; the status had no room to say why.")


def ledger_of(status: TaskGroupStatus) -> Ledger:
    """An empty one when the lists of indexes were too long for the status, or are none."""
    if status.completed_indexes is None or status.failed_indexes is None:
        return Ledger()
    try:
        failed, groups = parse_indexes(status.failed_indexes), [_group(failure) for failure in status.failures or ()]
        succeeded = parse_indexes(status.completed_indexes)
    except (ValueError, OverflowError):
        return Ledger()
    if rest := failed - FrozenBitMap.union(NONE, *(group.indexes for group in groups)):
        groups.append(FailureGroup(_UNSAID, rest, 0.0))
    ledger = Ledger(
        total=status.total or 0,
        succeeded=succeeded,
        failed=failed,
        failures=tuple(groups),
        again_id=status.last_retry_id or "",
    )
    return ledger.cancelled_rest() if is_true(status, ConditionType.FINISHED) else ledger


def _group(shown: FailureStatus) -> FailureGroup:
    """A list that was cut ends with an ellipsis."""
    indexes = FrozenBitMap(parse_indexes(shown.indexes.removesuffix(",…")))
    return FailureGroup(Failure(shown.reason, shown.message), indexes, seconds(shown.last_time))
