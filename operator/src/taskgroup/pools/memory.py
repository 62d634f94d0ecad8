"""What a pool's loop remembers between two looks, one class for each writer. Losing it costs a look at everything."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgroup.connections.shared import Address, Connection
from taskgroup.core.pools.claim_history import ClaimHistory
from taskgroup.core.pools.observed import Outage, WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.task_id import TaskId
from taskgroup.core.trouble import Trouble
from taskgroup.loops.clock import NEVER


@dataclass(slots=True)
class PoolIntake:
    """Written by `observe` alone."""

    address: Address | None = None
    connection: Connection | None = None
    """What is open at the address."""
    knows_strays: bool = False
    """Pods that nobody lists any more, but that left messages, are among the workers."""
    remembered: frozenset[str] = frozenset()
    """Pods whose names are written down in the broker."""
    server: int = 0
    """Number of the server process that answered last; 0 after a failure, and before the first answer."""
    answered: float | None = None
    """When the broker answered last; seconds since the epoch."""
    outages: tuple[Outage, ...] = ()
    workers: WorkerFacts = field(default_factory=WorkerFacts)
    workers_read: float = NEVER
    compared_to: PoolSpec | None = None
    """What the Deployment was compared to at that time."""


@dataclass(slots=True)
class Done:
    """Written by `actions` alone."""

    refused: Trouble | None = None
    """Why the API server refused the Deployment."""
    requeued: frozenset[str] = frozenset()
    """Containers (pod/restarts) whose messages were given back after an end."""
    unmoved: Mapping[str, int] = field(default_factory=dict)
    """Pod that has ended to how many of its messages could not be given back."""
    settled: frozenset[str] = frozenset()
    """Tags in the looks at claims that were put back or removed since."""
    given_up: frozenset[TaskId] = frozenset()
    """Items that too many workers died with."""
    set_aside: int = 0
    """How often suspects were, or may have been, taken off the queue."""
    losses: int = 0
    """How often a worker died with an item."""


@dataclass(slots=True)
class Claiming:
    """Written by `claiming` alone: what workers say of what they hold."""

    history: ClaimHistory = field(default_factory=ClaimHistory)
    task: asyncio.Task[None] | None = None
    """The look under way."""


@dataclass(slots=True)
class PoolMemory:
    """One loop owns it."""

    intake: PoolIntake = field(default_factory=PoolIntake)
    done: Done = field(default_factory=Done)
    claiming: Claiming = field(default_factory=Claiming)
