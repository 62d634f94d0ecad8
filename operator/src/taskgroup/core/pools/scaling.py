"""How many worker pods: they follow what is left to do, and no busy one is stopped for it."""

from dataclasses import replace

from taskgroup.api.workers import Workers
from taskgroup.core.action import Action
from taskgroup.core.exchange import Demand
from taskgroup.core.indexes import NONE
from taskgroup.core.pools.observed import PoolObserved, PoolQueue, WorkerFacts
from taskgroup.core.pools.plan import ApplyWorkers, MarkPods


def pods_for(items: int, workers: Workers) -> int:
    """min(maxReplicas, ceil(items / concurrency))."""
    return min(workers.max_replicas, -(-items // workers.concurrency))


def pods_wanted(seen: PoolObserved) -> int:
    """For the group's items; after its end for what they left on the queue."""
    if seen.workers_spec is None:
        return 0
    items = 0 if seen.demand.ended else seen.demand.items
    # Subtasks are no items, but they want to be run as well.
    messages = seen.queue.messages if seen.queue and (items or seen.demand.leftovers) else 0
    return pods_for(max(items, messages), seen.workers_spec)


def changes_pods(before: Demand | None, after: Demand, workers: Workers | None) -> bool:
    """Whether the pool has to look at once: most demands differ from the last one by some items that ended."""
    if before is None or workers is None:
        return True
    is_same_kind = _kind(before) == _kind(after)
    return not is_same_kind or pods_for(before.items, workers) != pods_for(after.items, workers)


def _kind(demand: Demand) -> Demand:
    """Without what changes all the time."""
    return replace(demand, items=0, over=NONE, reason="")


def scale(seen: PoolObserved, wanted: int) -> tuple[Action, ...]:
    """The actions that bring the Deployment to `wanted` pods; none when it is there already.

    Who is busy is known from the broker only: without it nothing is scaled before the end of the group. Workers that
    cannot be described can only be stopped, all together: not while there is something to run, or one of them is busy.
    """
    if not seen.demand.ended and (seen.queue is None or not can_stop(seen)):
        return ()
    actions = _scaled(wanted, seen.workers, seen.queue, _reason(seen, wanted))
    return actions if seen.workers_spec is not None or ApplyWorkers(0) in actions else ()


def _reason(seen: PoolObserved, wanted: int) -> str:
    """What the number follows from: the items, or what their tasks have put on the queue beside them."""
    workers, queue = seen.workers_spec, seen.queue
    if workers is None or queue is None or wanted <= pods_for(seen.demand.items, workers):
        return seen.demand.reason
    return f"{queue.messages} messages wait or are held, {workers.concurrency} at once in a pod."


def is_settled(seen: PoolObserved, wanted: int) -> bool:
    """Whether the Deployment is what the spec describes, with enough pods."""
    deployment = seen.workers.deployment
    return deployment is not None and deployment.settled and deployment.replicas >= wanted


def can_stop(seen: PoolObserved) -> bool:
    """Whether pods that are too many may go."""
    return seen.workers_spec is not None or not seen.demand.items


def _scaled(wanted: int, workers: WorkerFacts, queue: PoolQueue | None, reason: str) -> tuple[Action, ...]:
    deployment = workers.deployment
    if deployment is None:
        return (ApplyWorkers(wanted, reason=reason),) if wanted else ()
    busy, idle = _by_load(workers, queue)
    replicas = wanted if wanted >= deployment.replicas else min(deployment.replicas, max(wanted, len(busy)))
    # What it is made of matters when there are pods again.
    if replicas == deployment.replicas and (deployment.settled or not replicas):
        return ()
    apply = ApplyWorkers(replicas, reason=reason)
    is_partial = replicas and replicas < deployment.replicas
    return (MarkPods(idle, busy, reason=reason), apply) if is_partial else (apply,)


def _by_load(workers: WorkerFacts, queue: PoolQueue | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    held = queue.held if queue else {}
    alive = [pod.name for pod in workers.pods if not pod.ended and not pod.terminating]
    busy = tuple(name for name in alive if held.get(name))
    return busy, tuple(name for name in alive if not held.get(name))
