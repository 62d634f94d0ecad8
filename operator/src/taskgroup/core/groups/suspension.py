"""Suspension: what waits comes back at once, what runs may finish, and then there are no workers."""

from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Action, Withdraw
from taskgroup.core.pools import scaling as demand
from taskgroup.core.status.condition_texts import is_suspended

_REASON = "The group is suspended."


def withdraw_suspended(seen: Observed) -> tuple[Action, ...]:
    """Once, before the status says Suspended: what tasks put on the queue themselves stays there until they resume."""
    if seen.broker is None or not seen.broker.queued or is_suspended(seen):
        return ()
    return (Withdraw(running=False, reason=_REASON),)


def scale_suspended(seen: Observed) -> tuple[Action, ...]:
    """No more pods than hold items."""
    return demand.scale(0, seen.workers, seen.broker, _REASON)
