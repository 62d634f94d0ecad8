"""What to do next, as data: every entry can be compared in a test, and says why in words."""

from dataclasses import dataclass, field

from taskgroup.api.names import EventReason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.observed import Pace
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Open:
    """Make the group's state in Redis, as the ledger has it."""


@dataclass(frozen=True, slots=True)
class ApplyWorkers:
    """Make the Deployment as the spec wants it, with this many pods."""

    replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class MarkPods:
    """Tell Kubernetes which pods to stop first: idle ones are cheap."""

    idle: tuple[str, ...]
    busy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Put these items of a lane on the queue; `start` is the lane's cursor before."""

    priority: int
    start: int
    indexes: Indexes


@dataclass(frozen=True, slots=True)
class Redispatch:
    """Put items that were taken back on the queue again."""

    indexes: Indexes


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Raise the epoch and take the waiting items off the queue; with `running`, those of the workers too."""

    running: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Renew:
    """Let items wait for another dispatch under a new task id."""

    indexes: Indexes
    reason: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """Give back what a worker held when its container ended."""

    pod: str
    restarts: int
    before: float | None
    """Only what was taken up to this time (seconds since the epoch); None for all."""
    count_loss: bool


@dataclass(frozen=True, slots=True)
class Search:
    """Look for items in flight that are nowhere."""


@dataclass(frozen=True, slots=True)
class MarkMissing:
    """Items that were found nowhere twice: wait for another dispatch under the same id."""

    indexes: Indexes


@dataclass(frozen=True, slots=True)
class AskWorker:
    """Ask one worker which tasks it acknowledges before it runs them."""

    pod: str


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Remove the TaskGroup: its time to live is over."""


Action = (
    Open
    | ApplyWorkers
    | MarkPods
    | Dispatch
    | Redispatch
    | Withdraw
    | Renew
    | Requeue
    | Search
    | MarkMissing
    | AskWorker
    | DeleteObject
)


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event, posted after the status that it speaks of was written."""

    reason: EventReason
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step: save the ledger when asked, do the actions in order, write the status, post the events."""

    ledger: Ledger
    save: bool = False
    """The ledger must be saved before anything else happens."""
    transition: bool = False
    """The status is a turn of the group's life: written first and only on top of the version that was read."""
    near_end: bool = False
    """A status now would put off the one that tells the end: it may wait for that one, though not for long."""
    consumed: bool = True
    """The arrivals are in the ledger; otherwise they are to be shown again."""
    forget: Indexes = NONE
    """Counted items whose values are to be deleted once the ledger is saved."""
    actions: tuple[Action, ...] = ()
    status: TaskGroupStatus
    events: tuple[Event, ...] = ()
    """What the written status shows that the one before did not; made anew while it is not written."""
    extra_events: tuple[Event, ...] = ()
    """What no status shows: kept until the next write."""
    pace: Pace = field(default_factory=Pace)
    wake_after: float = 30.0
    """Seconds until the next look when nothing wakes the loop before."""
