"""One look at a group and everything around it: the whole input of `reconcile`, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.exchange import View
from taskgroup.core.groups.pace import Pace
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.reading import Reading
from taskgroup.core.stages import Stage
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import Units

TOMBSTONE = "deleted"
"""The nonce of a group whose state in the broker was erased; no fence equals it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still be true in the broker for a change to happen."""

    nonce: str
    epoch: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """The group's state in the broker. `cursors`: priority to how many of its items were dispatched at least once."""

    nonce: str
    epoch: int = 1
    cursors: Mapping[int, int] = field(default_factory=dict)

    @property
    def fence(self) -> Fence:
        """The fence that changes made on the ground of this state must carry."""
        return Fence(self.nonce, self.epoch)

    @property
    def deleted(self) -> bool:
        """Whether this is the tombstone that an erased group leaves."""
        return self.nonce == TOMBSTONE


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the broker holds for a group, read in one round trip."""

    state: GroupState | None
    """None: not opened yet, or lost."""
    queued: int = 0
    """Messages that no worker has taken."""
    held: int = 0
    """Messages that workers have taken and not acknowledged."""

    @property
    def messages(self) -> int:
        """All of them."""
        return self.queued + self.held


@dataclass(frozen=True, slots=True)
class BrokerBooks:
    """What the broker knows of single units."""

    returned: Units = NONE
    """To be dispatched again, or for the first time where they are later steps."""
    attempts: Mapping[int, int] = field(default_factory=dict)
    """Unit to its newest attempt; absent is 0."""
    losses: Mapping[int, int] = field(default_factory=dict)
    """Unit to how many workers died with it."""
    released: Units = NONE
    """Later steps whose turn has come."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The result of a search for units that are in no list, in no worker's hands and have no result."""

    at: float
    """Seconds since the epoch."""
    absent: Units


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How many items may be in flight, and how fast they end."""

    size: int = 0
    at: float = 0.0
    """When it was last adapted; seconds since the epoch."""
    rate: float = 0.0
    """Items that ended in a second, at that time."""
    limit: int = 0
    """What the broker may hold of the group at most, with the items that wait for their ETA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one decision hands to the next; losing it costs a moment of speed, nothing else."""

    window: Window = field(default_factory=Window)
    pace: Pace = field(default_factory=Pace)
    canary_at: float = 0.0
    """When an item was last dispatched to see whether a task is known by now; seconds since the epoch."""
    unsaved: bool = False
    """An action has changed the books in a way that must be saved before anything is dispatched."""
    paced_for: str | None = None
    """The rate limit that this operator knows of."""
    stopped_at: float = 0.0
    """When running items were last stopped; seconds since the epoch."""
    cut_to: int | None = None
    """The lowered bound for which the queue was last emptied of what is too much; items."""
    cleared: bool = False
    """Items were taken off the queue because nothing but hooks is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a decision about a group may depend on."""

    meta: Meta
    spec: TaskGroupSpec | None
    """None when it cannot be read; `invalid` says why."""
    work: Work | None
    """None when the items cannot be compiled."""
    invalid: Trouble | None = None
    reading: Reading | None = None
    """Of items outside of the object, as long as they are not known."""
    status: TaskGroupStatus = field(default_factory=TaskGroupStatus)
    """As last written by the operator."""
    ledger: Ledger = field(default_factory=Ledger)
    queue: QueueState | None = None
    """None: the broker cannot be asked."""
    books: BrokerBooks | None = None
    """Read only when the ledger has to take them over: after a restart, or when an answer was lost."""
    backend_trouble: Trouble | None = None
    """Broker or result backend cannot be used."""
    servers: frozenset[str] = frozenset()
    """Broker and result backend, as host:port."""
    view: View | None = None
    """What the pool said last; None while it has said nothing."""
    completions: Completions = field(default_factory=Completions)
    self_retried: Units = NONE
    """Units on their way whose task asked for another run (Celery's `self.retry`)."""
    results: Mapping[Stage, str] = field(default_factory=dict)
    """Values of stages as JSON, once they have succeeded and when they are short enough to be shown."""
    before_flaw: Failure | None = None
    """Why the result of spec.before cannot be used."""
    carried: Carried = field(default_factory=Carried)
    suspicions: tuple[Suspicion, ...] = ()
    """The last two searches at most, the older first."""
    dropped_nulls: int = 0
    """Nulls in objects that the user applied and that never arrived; asked before the start alone."""
    fresh_nonce: str = ""
    """A random name for a new state in the broker."""
    resync_seconds: float = 30.0
    """Longest time between two looks."""

    @property
    def state(self) -> GroupState | None:
        """The group's state in the broker, when it can be asked and has one."""
        return self.queue.state if self.queue else None
