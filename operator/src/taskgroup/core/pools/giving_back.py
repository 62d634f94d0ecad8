"""What a dead worker held goes back on the queue within seconds, not after Celery's visibility timeout."""

from taskgroup.core.action import Action
from taskgroup.core.exchange import ANEW, SUSPECT_LOSSES
from taskgroup.core.pools.observed import Outage, PodFacts, PoolObserved, PoolQueue
from taskgroup.core.pools.plan import Requeue

OUTAGE_SECONDS = 60.0
"""A worker that ends so long after the broker came back may still have ended of that."""
_SLACK_SECONDS = 5.0
"""The API server's times are whole seconds, and clocks differ."""


def requeues(seen: PoolObserved) -> tuple[Action, ...]:
    """One action for each ended container that still holds messages."""
    if seen.queue is None or not seen.demand.give_back:
        return ()
    waiting = (pod for pod in seen.workers.pods if pod.ended or pod.container not in seen.requeued)
    actions = (_requeue(seen, pod, seen.queue) for pod in waiting)
    return tuple(action for action in actions if action)


def _suspect_losses(seen: PoolObserved) -> int:
    """A worker that runs one item at a time dies of that one: nobody else is suspected."""
    if seen.demand.anew:
        return ANEW
    return (
        0
        if seen.workers_spec is not None and seen.workers_spec.concurrency == 1
        else min(SUSPECT_LOSSES, seen.loss_limit)
    )


def _requeue(seen: PoolObserved, pod: PodFacts, queue: PoolQueue) -> Action | None:
    held = queue.held.get(pod.name)
    # What could not be moved once is not moved by a second attempt.
    if not held or (pod.ended and seen.unmoved.get(pod.name) == held):
        return None
    is_loss, why = _fault(seen, pod)
    if pod.ended:
        before = None
    elif pod.restarts and pod.started_at is not None:
        before = pod.started_at
    else:
        return None
    limits = (seen.loss_limit, _suspect_losses(seen))
    return Requeue(pod.name, pod.restarts, before, is_loss, *limits, reason=why)


def _fault(seen: PoolObserved, pod: PodFacts) -> tuple[bool, str]:
    """Whether what the pod held may be what ended it, and why it is given back.

    A worker may end of an outage of the broker (Celery 5.7 does so often): that is no item's doing.
    """
    if pod.disrupted:
        return False, "The cluster took the pod away."
    if pod.terminating:
        return False, "The pod was stopped."
    if pod.lost_broker:
        return False, "Its worker ended because it lost the broker."
    end = pod.started_at
    if end is not None and any(_covers(outage, end) for outage in seen.outages):
        return False, "Its worker ended while the broker was away."
    return True, "The pod has ended." if pod.ended else "Its container has ended."


def _covers(outage: Outage, end: float) -> bool:
    return outage.since - _SLACK_SECONDS <= end <= outage.until + OUTAGE_SECONDS
