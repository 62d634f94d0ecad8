"""What a group and a pool of workers tell each other while they run: a Demand and a View.

What the pool is made of, and where its broker is, comes beside the demand (`Assignment` in `loops/meeting.py`).
"""

from dataclasses import dataclass

from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import TaskId
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import Units

MAX_LOSSES = 3
"""Workers that may die with an item before it is given up: the pool counts, the group says so."""
SUSPECT_LOSSES = 2
"""Deaths after which an item is no more sent side by side with others that a worker died with."""
ANEW = -1
"""In place of SUSPECT_LOSSES: whatever a worker held is sent again by its group, with a token."""
MAX_SHARED_LOSSES = 10
"""From MAX_LOSSES on only a death counts in which the item was alone, but for this many an item is given up anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A group's word to its pool."""

    items: int = 0
    """Items that have not ended and that workers could run now; 0 while the group is suspended."""
    ended: bool = False
    """Nothing more will be dispatched: workers may go even while the broker cannot be asked."""
    leftovers: bool = False
    """What the items' own tasks put on the queue is run also where no item could: after the end, or before a wait."""
    give_back: bool = True
    """What a dead worker held belongs back on the queue; False when the rest of the group was cancelled."""
    anew: bool = False
    """It is sent again by the group, and not put on the queue by the pool: each start takes a token."""
    over: Units = NONE
    """Units that have ended: what workers still hold of them is a remainder."""
    reason: str = "The group has not started."
    """Why, as the log of an action shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The pool's answer to a group."""

    slots: int = 0
    """Items that the wanted pods run at once for this group."""
    wanted: int = 0
    """Worker pods that there should be."""
    replicas: int = 0
    """Worker pods that have not ended."""
    ready: int = 0
    busy: int = 0
    """Pods that hold unacknowledged messages."""
    trouble: Trouble | None = None
    """What keeps workers from running."""
    pods: tuple[str, ...] = ()
    """Names of all pods that may hold messages, ended ones whose messages are not given back yet included."""
    live_pods: frozenset[str] = frozenset()
    """Names of those that may run items now."""
    given_up: frozenset[TaskId] = frozenset()
    """Attempts of this group that too many workers died with."""
    set_aside: int = 0
    """How often the pool took suspects off the queue: the group reads its books again when this changes."""
    rests: bool = False
    """There are no pods and no messages, and nobody wants any: the pool needs no look before something changes."""
    current: bool = True
    """False when the last look at the pods failed, or something changed since: then a pod may be missing above."""
