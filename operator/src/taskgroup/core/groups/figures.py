"""The figures of a group that are watched: what its written status says, and what was seen when it was made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgroup.api.names import Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import deadline_in
from taskgroup.core.groups.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What one status write has to tell."""

    status: TaskGroupStatus
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed items by exception class."""
    losses: int = 0
    """How often a worker died with an item."""
    deadline: float | None = None
    """Seconds since the epoch; None without one, and while its clock stands."""
    rate: float | None = None
    """Items that end in a second; None when nobody can tell."""
    estimate: float | None = None
    """When the last item ends; seconds since the epoch."""
    queued: int = 0
    held: int = 0
    window: int = 0
    oldest: float = 0.0
    """For how many seconds the item is in flight that has been so longest."""
    wanted: int = 0
    slots: int = 0
    trouble: str = ""
    """Reason of what keeps workers from running."""

    @property
    def lost(self) -> int:
        """Items that were given up."""
        return self.failures.get(Reason.LOST, 0)


def figures_of(seen: Observed, plan: Plan, oldest: float, now: float) -> GroupFigures:
    """The figures of a look whose status was written; `oldest` see GroupFigures."""
    queue, view, ledger, pace = seen.queue, seen.view, plan.ledger, plan.carried.pace
    failures = Counter[str]()
    for group in ledger.failures:
        failures[group.failure.reason] += len(group.indexes)
    left = deadline_in(ledger, seen.spec, now) if seen.spec and not plan.status.completion_time else None
    is_told = plan.status.estimated_completion_time is not None
    return GroupFigures(
        status=plan.status,
        failures=failures,
        losses=sum(ledger.losses.values()),
        deadline=None if left is None else now + left,
        rate=pace.rate if is_told else None,
        estimate=pace.estimate if is_told else None,
        queued=queue.queued if queue else 0,
        held=queue.held if queue else 0,
        window=plan.carried.window.size,
        oldest=oldest,
        wanted=view.wanted if view else 0,
        slots=view.slots if view else 0,
        trouble=view.trouble.reason if view and view.trouble else "",
    )
