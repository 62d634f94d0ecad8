"""What a group asks of its pool, for each phase of its life."""

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.exchange import Demand
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.ledger import Ledger

SUSPENDED = Demand(reason="The group is suspended.")


def while_running(ledger: Ledger, spec: TaskGroupSpec) -> Demand:
    """Workers follow what is left to do."""
    if spec.suspend:
        return SUSPENDED
    reason = f"{ledger.unfinished} items are left, {spec.workers.concurrency} at once in a pod."
    return Demand(items=ledger.unfinished, reason=reason)


def after_end(status: TaskGroupStatus, verdict: Verdict | None) -> Demand:
    """No workers, but for what the items' own tasks put on the queue and nobody has run yet.

    What a dead worker held would keep another one waiting for ever, so it is given back. Neither when the end came
    before some items had ended: what is left was cancelled.
    """
    is_whole, reason = not status.cancelled, "The group has ended."
    return Demand(ended=True, leftovers=verdict is not None and is_whole, give_back=is_whole, reason=reason)
