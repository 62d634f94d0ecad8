"""Items whose worker died, and items that are nowhere: both come back, a bounded number of times."""

from dataclasses import replace

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.core.groups.observed import BrokerFacts, Observed, PodFacts
from taskgroup.core.groups.plan import Action, MarkMissing, Requeue, Search
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger

MAX_LOSSES = 3
"""Workers that may die with an item before it is given up as poison."""
POISON = f"{MAX_LOSSES + 1} workers died while they ran it."
"""Said of such an item."""
MAX_MISSED = 3
"""How often an item that is nowhere is dispatched again."""
SEARCH_SECONDS = 10.0
"""Between two searches; far longer than a worker needs from the list to its unacked entry."""


def container(pod: PodFacts) -> str:
    """One container's life: a restart in the same pod is another one."""
    return f"{pod.name}/{pod.restarts}"


def requeues(seen: Observed) -> tuple[Action, ...]:
    """What ended containers held goes back to the queue."""
    if seen.broker is None:
        return ()
    waiting = (pod for pod in seen.workers.pods if pod.ended or container(pod) not in seen.requeued)
    found = (_requeue(pod, seen.broker) for pod in waiting)
    return tuple(action for action in found if action)


def _requeue(pod: PodFacts, broker: BrokerFacts) -> Action | None:
    if not broker.unacked.get(pod.name):
        return None
    if pod.ended:
        return Requeue(pod.name, pod.restarts, None, count_loss=not pod.terminating)
    if pod.restarts and pod.started_at is not None:
        return Requeue(pod.name, pod.restarts, pod.started_at, count_loss=True)
    return None


def missing(seen: Observed, in_flight: Indexes) -> Indexes:
    """Items absent in two searches far enough apart, while no silent container lived through both."""
    if len(seen.suspicions) < 2:
        return NONE
    first, second = seen.suspicions
    if second.at - first.at < SEARCH_SECONDS or first.silent & second.silent:
        return NONE
    return first.absent & second.absent & in_flight


def search(seen: Observed, in_flight: Indexes, now: float) -> tuple[Action, ...]:
    """Look for items when the queue and the workers hold fewer than are in flight; the first time not at the start."""
    if seen.broker is None or seen.arrivals or not in_flight:
        return ()
    if seen.broker.queued + sum(seen.broker.unacked.values()) >= len(in_flight):
        return ()
    last = seen.suspicions[-1].at if seen.suspicions else seen.ledger.running_since or 0.0
    return (Search(),) if now - last >= SEARCH_SECONDS else ()


def mark_missing(ledger: Ledger, absent: Indexes, now: float) -> tuple[Ledger, tuple[Action, ...]]:
    """Dispatch missing items again, or give them up."""
    if not absent:
        return ledger, ()
    hopeless = FrozenBitMap(index for index in absent if ledger.missed.get(index, 0) >= MAX_MISSED)
    again = absent - hopeless
    text = (
        f"Dispatched {MAX_MISSED + 1} times and never came back: no result, no message, no worker that holds it."
        " A task with ignore_result=True stores nothing on Celery before 5.6.3; one that raises Ignore never does."
    )
    return ledger.failed_with(Reason.LOST, text, hopeless, now), (MarkMissing(again),) if again else ()


def after_data_loss(ledger: Ledger, dispatched: Indexes, nonce: str) -> Ledger:
    """Redis lost the group's state: whatever has not ended gets a new task id and waits for a dispatch."""
    again = dispatched - ledger.ended
    renewed = ledger.renewed({index: ledger.attempts.get(index, 0) + 1 for index in again})
    return replace(renewed, nonce=nonce)
