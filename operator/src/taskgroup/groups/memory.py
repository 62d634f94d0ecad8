"""What a group's loop remembers between two looks, one class for each writer. All of it can be lost: it is found again
in the cluster, the broker and the results.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.connections.linking import Link
from taskgroup.core.completions import Failure
from taskgroup.core.groups.observed import Carried, Suspicion
from taskgroup.core.groups.plan import Event
from taskgroup.core.indexes import NONE
from taskgroup.core.items.external import ExternalItems
from taskgroup.core.items.handover import Head
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import Units
from taskgroup.groups.dispatch_times import DispatchTimes
from taskgroup.loops.clock import NEVER

NOT_ADOPTED = -1
"""No number of outages."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The spec of one generation, read and checked."""

    generation: int
    spec: TaskGroupSpec | None = None
    work: Work | None = None
    invalid: Trouble | None = None
    external: ExternalItems | None = None
    """The items of spec.itemsFrom, once a pod has read them; there is no work before."""


@dataclass(frozen=True, slots=True)
class BeforeResult:
    """What spec.before has returned, and the work with it."""

    generation: int
    """Of the spec that was compiled with it."""
    task_id: str
    found: Failure | tuple[Any]
    """The value, or why there is none."""
    work: Work | None = None
    flaw: Failure | None = None
    """Why nothing can be run with it."""
    shown: str | None = None
    """The result as JSON where it is short."""


@dataclass(slots=True)
class Intake:
    """Written by `observe` alone: how the group is reached."""

    compiled: Compiled
    before: BeforeResult | None = None
    """None while spec.before has not succeeded, and while its result was not read."""
    link: Link | None = None
    pool_spec: PoolSpec | None = None
    """The group's own workers, described; None while a Secret or a valid spec is missing."""
    link_trouble: Trouble | None = None
    link_checked: float = NEVER
    """Monotonic time of the last look at the Secrets."""
    broker_fails: bool = False
    """The broker could not be used at the last look."""
    outages: int = 0
    """How often the broker was met anew, or changed by the pool: what it knows of single items is adopted again."""
    judged: Units = NONE
    """Successes that are not counted yet, of chunks whose results were looked at."""
    source: tuple[Head, Sequence[bytes]] | None = None
    """The items of spec.itemsFrom, once they are read."""
    unread_at: float = NEVER
    """Monotonic time at which it was first seen that they cannot be read."""
    set_aside: int = 0
    """`View.set_aside` at the last look."""


@dataclass(slots=True)
class Record:
    """Written by `apply` and `actions` alone: the books, and what of them is written down."""

    status: TaskGroupStatus
    """As last written."""
    version: str
    """resourceVersion of the object that `status` was read from or written to."""
    ledger: Ledger
    saved: Ledger
    """The ledger as it is stored."""
    ledger_version: str | None
    adopted: int = NOT_ADOPTED
    """`Intake.outages` when the ledger was last known to be what the broker knows."""
    carried: Carried = field(default_factory=Carried)
    forget: Units = NONE
    """Counted units whose values are deleted after the next save."""
    unsendable: Mapping[int, Failure] = field(default_factory=dict)
    """Units that cannot be sent, because of the result that they should get."""
    extra_events: tuple[Event, ...] = ()
    """To be posted with the next status."""
    status_written: float = NEVER
    """Monotonic time."""
    save_allowed: float = NEVER
    """Monotonic time from which the budget allows another save."""
    dispatch_times: DispatchTimes = field(default_factory=DispatchTimes)
    """Monotonic times."""
    unsent: Units = NONE
    """Units that were skipped or released, and have not been on the queue yet; those of this process alone."""
    measured: TaskGroupStatus | None = None
    """The written status whose figures were told last."""
    measured_at: float = NEVER
    """Monotonic time."""


@dataclass(slots=True)
class Searches:
    """Written by `searching` alone."""

    suspicions: tuple[Suspicion, ...] = ()
    """The last two results at most, the older first."""
    task: asyncio.Task[None] | None = None
    """The search under way."""
    strangers: frozenset[str] = frozenset()
    """Pods that held messages at the last search, and that the pool did not know of."""
    strays: bool = False
    """Some of them were there at two searches, and nobody has told the pool yet."""


@dataclass(slots=True)
class Memory:
    """One loop owns it, and drops it whenever somebody else may have written."""

    intake: Intake
    record: Record
    searches: Searches = field(default_factory=Searches)
