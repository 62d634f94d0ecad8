"""What a group's loop remembers between two looks. It can be lost: all is found again in the cluster and Redis."""

import asyncio
from dataclasses import dataclass, field

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.broker.port import Fence
from taskgroup.connections.linking import Link
from taskgroup.core.groups.observed import Arrivals, Pace, Suspicion, Trouble, WorkerFacts
from taskgroup.core.groups.plan import Event
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Compiled:
    """The spec of one generation, read and checked."""

    generation: int
    spec: TaskGroupSpec | None = None
    work: Work | None = None
    invalid: Trouble | None = None


@dataclass(slots=True)
class Memory:
    """Mutable on purpose: one loop owns it, and drops it whenever somebody else may have written."""

    status: TaskGroupStatus
    """As last written."""
    version: str
    """resourceVersion of the object that `status` was read from or written to."""
    ledger: Ledger
    saved: Ledger
    """The ledger as it is stored."""
    ledger_version: str | None
    compiled: Compiled
    link: Link | None = None
    link_trouble: Trouble | None = None
    link_checked: float = float("-inf")
    broker_fails: bool = False
    """The broker could not be used at the last look."""
    fence: Fence | None = None
    merged: bool = False
    """Redis' part of the books (cursors, attempts, returned) is in the ledger."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    """Delivered by the sweep and not applied yet."""
    workers: WorkerFacts = field(default_factory=WorkerFacts)
    workers_read: float = float("-inf")
    refused: Trouble | None = None
    """Why the API server refused the Deployment."""
    pace: Pace = field(default_factory=Pace)
    suspicions: tuple[Suspicion, ...] = ()
    search: asyncio.Task[None] | None = None
    """The search for missing items, while one is under way."""
    asking: asyncio.Task[None] | None = None
    """The question to a worker, while one is under way."""
    asked: float = float("-inf")
    """Monotonic time of the last such question."""
    early: frozenset[str] | None = None
    """Tasks that workers of this spec acknowledge before they run them; None while no worker has said so."""
    requeued: frozenset[str] = frozenset()
    forget: Indexes = NONE
    """Counted items whose values are deleted after the next save."""
    extra_events: tuple[Event, ...] = ()
    """To be posted with the next status."""
    status_written: float = float("-inf")
    save_allowed: float = float("-inf")
    """Monotonic time from which the budget allows another save."""
