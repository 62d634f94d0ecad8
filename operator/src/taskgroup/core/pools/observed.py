"""One look at a pool of workers: the whole input of its decision, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgroup.api.workers import Workers
from taskgroup.core.exchange import MAX_LOSSES, Demand
from taskgroup.core.pools.claim_history import ClaimHistory
from taskgroup.core.task_id import TaskId
from taskgroup.core.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One worker pod; a pod that is gone from the API stays here until its unacknowledged messages are given back."""

    name: str
    ready: bool = False
    terminating: bool = False
    ended: bool = False
    """No container runs and none will run again under this name."""
    disrupted: bool = False
    """The cluster took the pod away (eviction, drain, preemption, node shutdown): no fault of what it ran."""
    restarts: int = 0
    started_at: float | None = None
    """Seconds since the epoch: after all that ended containers took from the queue, before anything that the running
    one took."""
    lost_broker: bool = False
    """Its last container ended because it lost the broker, as far as its last words tell."""
    trouble: Trouble | None = None

    @property
    def container(self) -> str:
        """One container's life: a restart in the same pod is another one."""
        return f"{self.name}/{self.restarts}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFacts:
    """The workers' Deployment."""

    replicas: int
    ready: int
    settled: bool
    """It still is as it was last applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What the cluster runs for the pool."""

    deployment: DeploymentFacts | None = None
    pods: tuple[PodFacts, ...] = ()
    trouble: Trouble | None = None
    """The first thing that keeps workers from starting."""


@dataclass(frozen=True, slots=True)
class PoolQueue:
    """The pool's queue and what its pods hold, read in one round trip."""

    queued: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    """Pod to the number of its unacknowledged messages."""
    oldest: Mapping[str, float] = field(default_factory=dict)
    """Pod to the time (seconds since the epoch) at which it took the oldest of these; only pods that hold some."""
    server: int = 0
    """Another number whenever another server process answers than before."""

    @property
    def messages(self) -> int:
        """All of them."""
        return self.queued + sum(self.held.values())


@dataclass(frozen=True, slots=True)
class Outage:
    """The broker was away, or another server process took its place; seconds since the epoch."""

    since: float
    """When it was last seen before."""
    until: float
    """When it was first seen again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolObserved:
    """Everything that a decision about a pool may depend on."""

    workers_spec: Workers | None
    """None when the workers cannot be described now (a Secret is missing, say): then they can only be stopped."""
    pool: str = ""
    """Its name: the uid of the group whose items it runs."""
    demand: Demand = field(default_factory=Demand)
    workers: WorkerFacts = field(default_factory=WorkerFacts)
    queue: PoolQueue | None = None
    """None: the broker cannot be asked."""
    leaving: bool = False
    """The namespace goes; found out only while a worker that stops has lost the broker."""
    requeued: frozenset[str] = frozenset()
    """Containers (pod/restarts) whose messages were given back after an end."""
    unmoved: Mapping[str, int] = field(default_factory=dict)
    """Pod that has ended to how many of its messages could not be given back."""
    outages: tuple[Outage, ...] = ()
    """The last ones, the oldest first."""
    claims: ClaimHistory = field(default_factory=ClaimHistory)
    """What workers said of the messages that they hold."""
    given_up: frozenset[TaskId] = frozenset()
    """Items that too many workers died with, since the operator started."""
    set_aside: int = 0
    """How often suspects were taken off the queue, since the operator started."""
    loss_limit: int = MAX_LOSSES
    """How many workers may die with an item."""
    resync_seconds: float = 30.0
    """Longest time between two looks."""
