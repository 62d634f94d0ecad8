"""What a dead worker held goes back on the queue within seconds, not after Celery's visibility timeout."""

from taskgroup.core.action import Action
from taskgroup.core.pools.observed import PodFacts, PoolObserved, PoolQueue
from taskgroup.core.pools.plan import Requeue


def requeues(seen: PoolObserved) -> tuple[Action, ...]:
    """One action for each ended container that still holds messages."""
    if seen.queue is None or not seen.demand.give_back:
        return ()
    waiting = (pod for pod in seen.workers.pods if pod.ended or pod.container not in seen.requeued)
    actions = (_requeue(pod, seen.queue) for pod in waiting)
    return tuple(action for action in actions if action)


def _requeue(pod: PodFacts, queue: PoolQueue) -> Action | None:
    if not queue.held.get(pod.name):
        return None
    if pod.ended:
        is_innocent = pod.terminating or pod.disrupted
        return Requeue(pod.name, pod.restarts, None, count_loss=not is_innocent, reason=_end_of(pod))
    if pod.restarts and pod.started_at is not None:
        fault = not pod.disrupted
        return Requeue(pod.name, pod.restarts, pod.started_at, count_loss=fault, reason="Its container has ended.")
    return None


def _end_of(pod: PodFacts) -> str:
    if pod.disrupted:
        return "The cluster took the pod away."
    return "The pod was stopped." if pod.terminating else "The pod has ended."
