"""When a group needs no look before something changes: a thousand finished or suspended groups cost no request."""

from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.observed import Observed
from taskgroup.core.meta import Meta
from taskgroup.core.status.conditions import find
from taskgroup.core.status.phase import Phase, phase_of

FOREVER = float("inf")
"""Seconds: only a change ends the wait."""
READ_AT_REST = (ConditionType.FINISHED, ConditionType.WORKERS_READY)
"""Conditions that `has_come_to_rest` reads."""


def can_rest(seen: Observed) -> bool:
    """Nothing is on the queue or in a worker's hands, and the pool has nothing to do either."""
    if seen.queue is None or seen.backend_trouble is not None or seen.queue.messages:
        return False
    return seen.view is not None and seen.view.current and seen.view.rests


def has_come_to_rest(meta: Meta, status: TaskGroupStatus) -> bool:
    """Whether the written status says that a finished group needs nothing more, but for the end of its time to live.

    A new operator knows by that which groups it need not look at. Pods may have come since: only the cluster knows.
    """
    if phase_of(status) is not Phase.FINISHED or status.observed_generation != meta.generation:
        return False
    workers = find(status, ConditionType.WORKERS_READY)
    if workers is None or workers.reason != Reason.NO_WORKERS_NEEDED:
        return False
    return status.workers is not None and not status.workers.replicas


def rest_part(status: TaskGroupStatus) -> TaskGroupStatus:
    """The part of a finished group's status that is read while it rests: there may be thousands of them in memory."""
    conditions = [condition for condition in status.conditions or () if condition.type in READ_AT_REST]
    return TaskGroupStatus(
        observed_generation=status.observed_generation,
        completion_time=status.completion_time,
        workers=status.workers,
        conditions=conditions,
    )
