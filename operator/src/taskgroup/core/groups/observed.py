"""One look at a group and everything around it: the whole input of `reconcile`, as frozen values."""

from dataclasses import dataclass, field

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Whose TaskGroup it is."""

    uid: str
    name: str
    namespace: str
    generation: int
    finalized: bool = True
    """Our finalizer is in the object that was read; nothing outside may be touched before."""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something outside that stops the group, with the sentence its owner reads."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One worker pod; a pod that is gone from the API stays here until its unacknowledged items are back."""

    name: str
    ready: bool = False
    terminating: bool = False
    ended: bool = False
    """No container runs and none will run again under this name."""
    restarts: int = 0
    started_at: float | None = None
    """Seconds since the epoch: after all that ended containers took from the queue, before anything that the running
    one took."""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFacts:
    """The workers' Deployment."""

    replicas: int
    ready: int
    settled: bool
    """It still is as it was last applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What runs for the group."""

    deployment: DeploymentFacts | None = None
    pods: tuple[PodFacts, ...] = ()
    trouble: Trouble | None = None
    """The first thing that keeps workers from starting."""
    early: frozenset[str] | None = None
    """Tasks that a worker acknowledges before it runs them; None while no worker was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """The group's state in Redis, read in one round trip."""

    nonce: str | None
    """None: there is no state."""
    epoch: int = 0
    queued: int = 0
    unacked: dict[str, int] = field(default_factory=dict)
    """Pod to the number of items it holds."""


@dataclass(frozen=True, slots=True)
class FailedItem:
    """One item whose newest attempt ended without success."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Items that ended since the last look."""

    succeeded: Indexes = NONE
    failed: tuple[FailedItem, ...] = ()

    @property
    def count(self) -> int:
        """How many."""
        return len(self.succeeded) + len(self.failed)

    def __bool__(self) -> bool:
        return bool(self.succeeded) or bool(self.failed)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The result of a search for items that are in no list, in no worker's hands and have no result."""

    at: float
    absent: Indexes
    silent: frozenset[str] = frozenset()
    """Live containers (pod/restarts) that did not say what they run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The loop's memory of how fast items end; losing it costs a moment of speed, nothing else."""

    window: int = 0
    at: float = 0.0
    """When the window was last adapted."""
    rate: float = 0.0
    """How many items ended in a second, at that time."""
    canary_at: float = 0.0
    """When an item was last sent to see whether a task is known by now."""
    cut_to: int | None = None
    """The parallelism for which the queue was last emptied of what is too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a decision may depend on."""

    meta: Meta
    spec: TaskGroupSpec | None
    """None when it cannot be read; `invalid` says why."""
    work: Work | None
    """None when the items cannot be compiled."""
    invalid: Trouble | None = None
    status: TaskGroupStatus = field(default_factory=TaskGroupStatus)
    """As last written by the operator."""
    ledger: Ledger = field(default_factory=Ledger)
    broker: BrokerFacts | None = None
    backend_trouble: Trouble | None = None
    """Broker or result backend cannot be used."""
    workers: WorkerFacts = field(default_factory=WorkerFacts)
    arrivals: Arrivals = field(default_factory=Arrivals)
    pace: Pace = field(default_factory=Pace)
    suspicions: tuple[Suspicion, ...] = ()
    """The last two searches at most, the older first."""
    requeued: frozenset[str] = frozenset()
    """Containers (pod/restarts) whose items were given back after an end."""
    fresh_nonce: str = ""
    """A random name for a new state in Redis."""
