"""The decision about a pool of workers: one observation in, one plan out. Pure and total, like that of a group."""

from taskgroup.core.action import Action
from taskgroup.core.exchange import View
from taskgroup.core.pools import claims
from taskgroup.core.pools.giving_back import requeues
from taskgroup.core.pools.leaving import hurry
from taskgroup.core.pools.observed import PoolObserved
from taskgroup.core.pools.plan import Discard, PoolPlan, PutBack, Requeue
from taskgroup.core.pools.scaling import can_stop, pods_wanted, scale

FOLLOW_SECONDS = 1.0
"""Between two looks while messages are given back, or busy pods are more than are wanted."""
_MOVES = (Requeue, Discard, PutBack)
WORKING_SECONDS = 5.0
"""Between two looks while there are items: workers take and end them without a sign to the operator."""


def reconcile_pool(seen: PoolObserved, now: float) -> PoolPlan:
    """What to do now; `now` is in seconds since the epoch."""
    wanted = pods_wanted(seen)
    actions = (*requeues(seen), *claims.settle(seen, now), *scale(seen, wanted), *claims.ask(seen, now), *hurry(seen))
    wake_after = _wake_after(seen, wanted, actions, now)
    return PoolPlan(view=_view(seen, wanted, actions), actions=actions, wake_after=wake_after)


def _view(seen: PoolObserved, wanted: int, actions: tuple[Action, ...]) -> View:
    deployment, pods = seen.workers.deployment, seen.workers.pods
    held = seen.queue.held if seen.queue else {}
    return View(
        slots=wanted * seen.workers_spec.concurrency if seen.workers_spec else 0,
        wanted=wanted,
        replicas=sum(1 for pod in pods if not pod.ended),
        ready=deployment.ready if deployment else 0,
        busy=sum(1 for count in held.values() if count),
        trouble=seen.workers.trouble,
        pods=tuple(pod.name for pod in pods),
        live_pods=frozenset(pod.name for pod in pods if not pod.ended),
        given_up=seen.given_up,
        set_aside=seen.set_aside,
        rests=not actions and _rests(seen),
    )


def _rests(seen: PoolObserved) -> bool:
    deployment, queue = seen.workers.deployment, seen.queue
    if seen.demand.items or seen.workers.pods or queue is None or queue.messages:
        return False
    return deployment is None or not (deployment.replicas or deployment.ready)


def _wake_after(seen: PoolObserved, wanted: int, actions: tuple[Action, ...], now: float) -> float:
    """The watch tells how a Deployment that was applied fares; one that was refused is seldom better a second later."""
    deployment = seen.workers.deployment
    is_shrinking = deployment is not None and deployment.replicas > wanted and can_stop(seen)
    if is_shrinking or any(isinstance(action, _MOVES) for action in actions):
        return min(FOLLOW_SECONDS, seen.resync_seconds)
    times = [seen.resync_seconds]
    if seen.demand.items:
        times.append(WORKING_SECONDS)
    due = claims.due_at(seen, now)
    if due is not None:
        times.append(max(due - now, FOLLOW_SECONDS))
    return min(times)
