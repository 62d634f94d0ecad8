"""How many worker pods: they follow what is left to do, and no busy one is stopped for it."""

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.observed import BrokerFacts, WorkerFacts
from taskgroup.core.groups.plan import Action, ApplyWorkers, MarkPods
from taskgroup.core.ledger import Ledger


def pods_for(items: int, spec: TaskGroupSpec) -> int:
    """min(maxReplicas, ceil(items / concurrency))."""
    workers = spec.workers
    return min(workers.max_replicas, -(-items // workers.concurrency))


def slots(ledger: Ledger, spec: TaskGroupSpec) -> int:
    """Items that the wanted pods run at once."""
    return pods_for(ledger.unfinished, spec) * spec.workers.concurrency


def scale(wanted: int, workers: WorkerFacts, broker: BrokerFacts | None, reason: str) -> tuple[Action, ...]:
    """The steps that bring the Deployment to `wanted` pods; none when it is there already."""
    deployment = workers.deployment
    if deployment is None:
        return (ApplyWorkers(wanted, reason),) if wanted else ()
    busy, idle = _by_load(workers, broker)
    replicas = wanted if wanted >= deployment.replicas else min(deployment.replicas, max(wanted, len(busy)))
    if replicas == deployment.replicas and deployment.settled:
        return ()
    apply = ApplyWorkers(replicas, reason)
    spared = replicas and replicas < deployment.replicas
    return (MarkPods(idle, busy), apply) if spared else (apply,)


def _by_load(workers: WorkerFacts, broker: BrokerFacts | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    held = broker.unacked if broker else {}
    alive = [pod.name for pod in workers.pods if not pod.ended and not pod.terminating]
    busy = tuple(name for name in alive if held.get(name))
    return busy, tuple(name for name in alive if not held.get(name))
