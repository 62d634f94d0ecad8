"""What the parts of the decision about a running group share."""

from dataclasses import dataclass

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.observed import Observed
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import Units


@dataclass(frozen=True, slots=True)
class Context:
    """One look, and what was counted from it."""

    seen: Observed
    spec: TaskGroupSpec
    work: Work
    now: float
    """Seconds since the epoch."""
    ledger: Ledger
    """After the completions were counted; the one in `seen` is from before."""
    in_flight: Units
    unknown: Units
    """Units that came back because no worker knows their task."""
    interrupted: Units = NONE
    """Units whose attempt the broker's absence has ended."""
    is_ending: bool = False
    """The outcome is known, and hooks are left."""
    late: Trouble | None = None
    """Items that were appended when the callback had begun."""
