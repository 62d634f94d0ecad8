"""What to do next for a group, as data: every entry can be compared in a test, and says why in words."""

from dataclasses import dataclass, field
from typing import ClassVar

from taskgroup.api.names import EventReason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions
from taskgroup.core.exchange import Demand
from taskgroup.core.groups.observed import Carried
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import Units


@dataclass(frozen=True, slots=True)
class Open(Action):
    """Make the group's state in the broker, as the ledger has it."""


@dataclass(frozen=True, slots=True)
class Dispatch(Action):
    """Put these items of a lane on the queue; `start` is the lane's cursor before."""

    frequent: ClassVar[bool] = True
    priority: int
    start: int
    indexes: Indexes


@dataclass(frozen=True, slots=True)
class ReadItems(Action):
    """Start a pod that reads the items from where spec.itemsFrom says."""


@dataclass(frozen=True, slots=True)
class StopReading(Action):
    """Remove such pods."""


@dataclass(frozen=True, slots=True)
class Skip(Action):
    """Let the next items of a lane count as items that came back, without putting them on the queue."""

    priority: int
    start: int
    indexes: Indexes


@dataclass(frozen=True, slots=True)
class Release(Action):
    """Let steps whose predecessor has succeeded wait for their dispatch."""

    frequent: ClassVar[bool] = True
    units: Units


@dataclass(frozen=True, slots=True)
class Redispatch(Action):
    """Put returned units on the queue again, or later steps for the first time."""

    frequent: ClassVar[bool] = True
    units: Units


@dataclass(frozen=True, slots=True)
class Withdraw(Action):
    """Raise the epoch and take the waiting units off the queue; with `running`, those of the workers too."""

    running: bool


@dataclass(frozen=True, slots=True)
class Stop(Action):
    """Raise the epoch and take all units off the queue and out of the workers' hands; what had begun begins anew."""


@dataclass(frozen=True, slots=True)
class Renew(Action):
    """Let units wait for another dispatch under a new task id."""

    units: Units


@dataclass(frozen=True, slots=True)
class Retry(Action):
    """Let units that failed wait for their next attempt, under a new task id."""

    frequent: ClassVar[bool] = True
    units: Units


@dataclass(frozen=True, slots=True)
class Again(Action):
    """Open items again, and stages that failed, and let their units wait under new task ids, as spec.retry asks."""

    id: str
    units: Units
    items: Indexes
    stages: bool
    anew: bool
    """The group had ended: its running time begins anew."""


@dataclass(frozen=True, slots=True)
class Search(Action):
    """Look for units in flight that are in no list and with no worker."""

    frequent: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class MarkMissing(Action):
    """Let units that two searches did not find wait for another dispatch under the same id."""

    units: Units


@dataclass(frozen=True, slots=True)
class DeleteObject(Action):
    """Remove the TaskGroup: its time to live is over."""


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event, posted after the status that it speaks of was written."""

    reason: EventReason
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step, carried out by `groups/apply.py`: ledger, transition, demand, actions in order, status, events."""

    ledger: Ledger
    save: bool = False
    """The ledger must be saved before anything else happens."""
    transition: bool = False
    """The status moves the group to another phase: written before any action, other statuses after them."""
    near_end: bool = False
    """A status now would put off the one that tells the end: it may wait for that one, though not for long."""
    counted: Completions = field(default_factory=Completions)
    """Completions that are in the ledger; all others are shown again."""
    forget: Units = NONE
    """Counted units whose values are to be deleted once the ledger is saved."""
    actions: tuple[Action, ...] = ()
    demand: Demand | None = None
    """What the pool is told; None leaves it with what it was told before."""
    status: TaskGroupStatus
    events: tuple[Event, ...] = ()
    """What the written status shows that the one before did not; made anew while it is not written."""
    extra_events: tuple[Event, ...] = ()
    """What no status shows: kept until the next write."""
    carried: Carried = field(default_factory=Carried)
    rests: bool = False
    """Once all is written down nothing has to be known of the group before it changes or `wake_after` is over."""
    wake_after: float = 30.0
    """Seconds until the next look when nothing wakes the loop before."""
