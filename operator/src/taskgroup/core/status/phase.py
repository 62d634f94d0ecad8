"""Where a group is in its life, read from its own status: the only memory that survives everything."""

from enum import Enum, auto

from taskgroup.api.names import ConditionType
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.status.conditions import is_true


class Phase(Enum):
    """The phases of a group's life, each written before what follows from it is done."""

    NEW = auto()
    """Not started: nothing was dispatched."""
    RUNNING = auto()
    DECIDED = auto()
    """The outcome is frozen; what still runs is being stopped."""
    FINISHED = auto()


def phase_of(status: TaskGroupStatus) -> Phase:
    """The phase that was written last."""
    if is_true(status, ConditionType.FINISHED):
        return Phase.FINISHED
    if is_true(status, ConditionType.SUCCESS_CRITERIA_MET) or is_true(status, ConditionType.FAILURE_TARGET):
        return Phase.DECIDED
    return Phase.RUNNING if status.start_time else Phase.NEW


def is_suspended(status: TaskGroupStatus) -> bool:
    """Whether the written status says so."""
    return is_true(status, ConditionType.SUSPENDED)
