"""What a dead worker held goes back on the queue within seconds, not after Celery's visibility timeout."""

from taskgroup.core.action import Action
from taskgroup.core.exchange import SUSPECT_LOSSES
from taskgroup.core.pools.observed import PodFacts, PoolObserved, PoolQueue
from taskgroup.core.pools.plan import Requeue


def requeues(seen: PoolObserved) -> tuple[Action, ...]:
    """One action for each ended container that still holds messages."""
    if seen.queue is None or not seen.demand.give_back:
        return ()
    waiting = (pod for pod in seen.workers.pods if pod.ended or pod.container not in seen.requeued)
    actions = (_requeue(pod, seen.queue, _suspect_losses(seen)) for pod in waiting)
    return tuple(action for action in actions if action)


def _suspect_losses(seen: PoolObserved) -> int:
    """A worker that runs one item at a time dies of that one: nobody else is suspected."""
    return 0 if seen.workers_spec is not None and seen.workers_spec.concurrency == 1 else SUSPECT_LOSSES


def _requeue(pod: PodFacts, queue: PoolQueue, suspect_losses: int) -> Action | None:
    if not queue.held.get(pod.name):
        return None
    if pod.ended:
        reason, before, count_loss = _end_of(pod), None, not (pod.terminating or pod.disrupted)
    elif pod.restarts and pod.started_at is not None:
        reason, before, count_loss = "Its container has ended.", pod.started_at, not pod.disrupted
    else:
        return None
    return Requeue(pod.name, pod.restarts, before, count_loss, suspect_losses=suspect_losses, reason=reason)


def _end_of(pod: PodFacts) -> str:
    if pod.disrupted:
        return "The cluster took the pod away."
    return "The pod was stopped." if pod.terminating else "The pod has ended."
