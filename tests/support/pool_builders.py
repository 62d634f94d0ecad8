"""Short ways to say what a test of a pool looks at: pods, a Deployment, a queue, a demand."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from support.builders import NOW, spec
from taskgroup.core.action import Action
from taskgroup.core.exchange import Demand
from taskgroup.core.pools.claim_history import ClaimLook, Claims, Unacked
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, PoolObserved, PoolQueue, WorkerFacts
from taskgroup.core.pools.plan import ApplyWorkers, AskClaims, Discard, PoolPlan, PutBack, Requeue, StopPod
from taskgroup.core.pools.reconcile import reconcile_pool


def pods(*names: str, **fields: Any) -> tuple[PodFacts, ...]:
    """Pods that are alike; names have no dashes here."""
    return tuple(PodFacts(name=name, **{"ready": True, **fields}) for name in names)


def workers(replicas: int, *, members: tuple[PodFacts, ...] = (), settled: bool = True, **fields: Any) -> WorkerFacts:
    """A Deployment whose pods are all ready."""
    deployment = DeploymentFacts(replicas=replicas, ready=replicas, settled=settled)
    return WorkerFacts(deployment=deployment, pods=members, **fields)


def pool_queue(*, queued: int = 0, oldest: float = NOW, **held: int) -> PoolQueue:
    """The queue's length and, by pod, what workers hold; `oldest` is when they took the first of it."""
    return PoolQueue(queued, held, dict.fromkeys(held, oldest))


def claim_look(
    at: float, held: Mapping[str, str], claims: Mapping[str, str], *, ended: Iterable[str] = (), **fields: Any
) -> ClaimLook:
    """Pods held these tasks (words are task ids), and their workers said that they have those; none had restarted.

    Each task has its id as its tag too. `fields` are of each message, or of each worker's answer (`running`, `rates`).
    """
    answer = {name: fields.pop(name) for name in ("running", "rates") if name in fields}
    fields = {"taken_at": NOW - 100} | fields
    return ClaimLook(
        at=at,
        containers={pod: f"{pod}/0" for pod in held},
        held={
            pod: tuple(Unacked(tag=name, id=name, **fields) for name in names.split()) for pod, names in held.items()
        },
        claims={pod: Claims(ids=frozenset(names.split()), **answer) for pod, names in claims.items()},
        ended=frozenset(ended),
    )


def demand(items: int = 100, **fields: Any) -> Demand:
    """A running group's."""
    return Demand(items=items, reason="why", **fields)


def ended(**fields: Any) -> Demand:
    """The demand of a group that has ended by itself."""
    base: dict[str, Any] = {"ended": True, "leftovers": True, "reason": "why"}
    return Demand(**base | fields)


def pool(**fields: Any) -> PoolObserved:
    """A pool of a running group whose broker answers; it has no Deployment yet."""
    base: dict[str, Any] = {
        "workers_spec": spec().workers,
        "demand": demand(),
        "queue": pool_queue(),
    }
    return PoolObserved(**base | fields)


def pool_look(seen: PoolObserved, now: float = NOW, **fields: Any) -> PoolPlan:
    """What is decided when this is seen, with these differences."""
    return reconcile_pool(replace(seen, **fields), now)


def pool_after(seen: PoolObserved, plan: PoolPlan) -> PoolObserved:
    """The next look when the plan came into effect, and nothing else happened."""
    for action in plan.actions:
        seen = _done(seen, action)
    return seen


def _done(seen: PoolObserved, action: Action) -> PoolObserved:
    if isinstance(action, ApplyWorkers):
        return replace(seen, workers=workers(action.replicas, members=seen.workers.pods, trouble=seen.workers.trouble))
    if isinstance(action, Requeue):
        return _given_back(seen, action)
    if isinstance(action, AskClaims):
        return replace(seen, claims=replace(seen.claims, asked_at=NOW))
    if isinstance(action, Discard | PutBack):
        return replace(seen, claims=seen.claims.without(action.tags))
    if isinstance(action, StopPod):
        return _gone(seen, action.pod) if action.at_once else _stopped(seen, action.pod)
    return seen


def _gone(seen: PoolObserved, name: str) -> PoolObserved:
    members = tuple(pod for pod in seen.workers.pods if pod.name != name)
    return replace(seen, workers=replace(seen.workers, pods=members))


def _stopped(seen: PoolObserved, name: str) -> PoolObserved:
    members = tuple(replace(pod, terminating=pod.terminating or pod.name == name) for pod in seen.workers.pods)
    return replace(seen, workers=replace(seen.workers, pods=members))


def _given_back(seen: PoolObserved, action: Requeue) -> PoolObserved:
    """What a restarted pod still holds is what its new container took."""
    assert seen.queue is not None
    held = dict(seen.queue.held)
    back = held.pop(action.pod) if action.before is None else 0
    container = f"{action.pod}/{action.restarts}"
    after = PoolQueue(seen.queue.queued + back, held)
    return replace(seen, queue=after, requeued=seen.requeued | {container})
