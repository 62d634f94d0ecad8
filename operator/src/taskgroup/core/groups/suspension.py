"""Suspension: what waits on the queue comes back at once; what runs may finish, or is stopped and begins anew later."""

from dataclasses import replace

from taskgroup.api.control import SuspendMode
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.action import Action
from taskgroup.core.groups.observed import Carried, Observed
from taskgroup.core.groups.plan import Stop, Withdraw
from taskgroup.core.status.phase import is_suspended

STOP_SECONDS = 5.0
"""Between two stops of what still runs: a worker may have taken an item out of the queue while the first was made."""


def withdraw_suspended(
    seen: Observed, spec: TaskGroupSpec, now: float, *, is_active: bool
) -> tuple[Carried, tuple[Action, ...]]:
    """Drain once, before the status says Suspended: what tasks put on the queue themselves stays there until they
    resume. Stop as long as an item `is_active`: the mode may change while the group is suspended.
    """
    carried, queue = seen.carried, seen.queue
    if not spec.suspend or queue is None or seen.state is None or not queue.messages:
        return carried, ()
    if spec.suspend_mode is SuspendMode.STOP:
        if not is_active or now - carried.stopped_at < STOP_SECONDS:
            return carried, ()
        return replace(carried, stopped_at=now), (Stop(reason="The group is suspended, and suspendMode is Stop."),)
    if not queue.queued or is_suspended(seen.status):
        return carried, ()
    return carried, (Withdraw(running=False, reason="The group is suspended."),)
