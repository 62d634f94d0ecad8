"""Suspension: what waits on the queue comes back at once, what runs may finish."""

from taskgroup.core.action import Action
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Withdraw
from taskgroup.core.status.phase import is_suspended


def withdraw_suspended(seen: Observed) -> tuple[Action, ...]:
    """Once, before the status says Suspended: what tasks put on the queue themselves stays there until they resume."""
    if seen.queue is None or seen.state is None or not seen.queue.queued or is_suspended(seen.status):
        return ()
    return (Withdraw(running=False, reason="The group is suspended."),)
