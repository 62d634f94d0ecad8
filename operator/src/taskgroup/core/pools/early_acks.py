"""Tasks whose messages are acknowledged before they run: what a user should know of the workers while a group runs.

The operator makes late acknowledgement the workers' default; a task that says otherwise, or that was bound before the
default reached it, keeps its own. Nothing is lost by it, but the death of a worker is then noticed late.
"""

from taskgroup.core.action import Action
from taskgroup.core.pools.observed import PodFacts, PoolObserved
from taskgroup.core.pools.plan import AskWorker

ASK_AFTER_SECONDS = 10.0
"""Of a container's life: it answers by then, and groups that end sooner are not worth a question."""


def ask(seen: PoolObserved, now: float) -> tuple[Action, ...]:
    """One worker is enough: all run the same image."""
    if seen.early_ack_tasks is not None or seen.queue is None or not seen.demand.items:
        return ()
    settled = (pod.name for pod in seen.workers.pods if _is_settled(pod, now))
    return tuple(AskWorker(name, reason="No worker has said yet which tasks it acknowledges.") for name in settled)[:1]


def _is_settled(pod: PodFacts, now: float) -> bool:
    runs = pod.ready and not pod.ended and not pod.terminating
    return runs and pod.started_at is not None and now - pod.started_at >= ASK_AFTER_SECONDS
