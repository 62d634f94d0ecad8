"""A namespace that goes with its own Redis: Kubernetes deletes the TaskGroup only when all pods have ended.

A worker without its Redis would use up its whole grace, for results that nobody will read. A kubelet that stops a
container already hears of no shorter grace, so the pod is removed, and the container ends by itself.
"""

from taskgroup.core.action import Action
from taskgroup.core.pools.observed import PodFacts, PoolObserved
from taskgroup.core.pools.plan import StopPod


def stopping(seen: PoolObserved) -> list[PodFacts]:
    """Workers that have lost the broker while they stop."""
    return [] if seen.queue is not None else [pod for pod in seen.workers.pods if pod.terminating and not pod.ended]


def hurry(seen: PoolObserved) -> tuple[Action, ...]:
    """Remove them."""
    if not seen.leaving:
        return ()
    why = "The namespace is deleted, and the broker is gone."
    return tuple(StopPod(pod.name, at_once=True, reason=why) for pod in stopping(seen))
