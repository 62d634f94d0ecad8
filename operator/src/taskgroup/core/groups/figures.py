"""The figures of a group that are watched: what its written status says, and what was seen when it was made.

Plain values, and no status: they are kept for each of a thousand groups, also after its end.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.api.status import Condition, TaskGroupStatus
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import deadline_in
from taskgroup.core.groups.plan import Plan
from taskgroup.core.groups.stage_progress import written_stages
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import seconds
from taskgroup.core.tokens import per_second
from taskgroup.core.units import counts_by_step

WATCHED_CONDITIONS = (
    ConditionType.READY,
    ConditionType.CONFIGURATION_VALID,
    ConditionType.BACKEND_REACHABLE,
    ConditionType.WORKERS_READY,
)

_COUNTS = ("pending", "active", "retrying", "succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class ConditionFigure:
    """One condition."""

    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What a written status has to tell. Times are seconds since the epoch."""

    state: str = State.PENDING
    conditions: tuple[ConditionFigure, ...] = ()
    start: float | None = None
    completion: float | None = None
    pending: int = 0
    active: int = 0
    retrying: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed items by exception class."""
    deadline: float | None = None
    """None without one, and while its clock stands."""
    rate: float | None = None
    """Items that end in a second; None when nobody can tell."""
    estimate: float | None = None
    """When the last item ends."""
    queued: int = 0
    held: int = 0
    window: int = 0
    oldest: float | None = None
    """Monotonic time at which the item was dispatched that has been in flight longest; None when none is known."""
    wanted: int = 0
    present: int = 0
    ready: int = 0
    busy: int = 0
    slots: int = 0
    trouble: str = ""
    """Reason of what keeps workers from running."""
    stages: tuple[tuple[str, str], ...] = ()
    """What runs once for the group, each with its state."""
    passed: tuple[int, ...] = ()
    """Of a group with chains: how many items have each of their steps but the last one behind them."""
    rate_limit: float | None = None
    """Starts in a second that spec.rateLimit allows; None without one, and after the end."""

    @property
    def lost(self) -> int:
        """Items that were given up."""
        return self.failures.get(Reason.LOST, 0)


def figures_of(seen: Observed, plan: Plan, oldest: float | None, now: float) -> GroupFigures:
    """The figures of a look whose status was written; `oldest` see GroupFigures."""
    queue, view, ledger, carried = seen.queue, seen.view, plan.ledger, plan.carried
    spec = None if plan.status.completion_time else seen.spec
    left = deadline_in(ledger, spec, now) if spec else None
    is_told = plan.status.estimated_completion_time is not None
    return GroupFigures(
        **_shown(plan.status),
        failures=_failures(ledger),
        deadline=None if left is None else now + left,
        rate=carried.pace.rate if is_told else None,
        estimate=carried.pace.estimate if is_told else None,
        queued=queue.queued if queue else 0,
        held=queue.held if queue else 0,
        window=carried.window.size,
        oldest=oldest,
        wanted=view.wanted if view else 0,
        slots=view.slots if view else 0,
        trouble=view.trouble.reason if view and view.trouble else "",
        passed=counts_by_step(ledger.passed, ledger.steps - 1),
        rate_limit=per_second(spec.rate_limit) if spec and spec.rate_limit else None,
    )


def _shown(status: TaskGroupStatus) -> dict[str, Any]:
    """What the status itself says."""
    workers = status.workers
    return {
        "state": status.state or State.PENDING,
        "conditions": tuple(map(_condition, filter(_is_watched, status.conditions or ()))),
        "start": seconds(status.start_time) if status.start_time else None,
        "completion": seconds(status.completion_time) if status.completion_time else None,
        "stages": tuple((str(stage), str(one.state)) for stage, one in written_stages(status).items()),
        **{name: getattr(status, name) or 0 for name in _COUNTS},
        **({"present": workers.replicas, "ready": workers.ready, "busy": workers.busy} if workers else {}),
    }


def _is_watched(condition: Condition) -> bool:
    return condition.type in WATCHED_CONDITIONS


def _condition(condition: Condition) -> ConditionFigure:
    return ConditionFigure(condition.type, condition.status, condition.reason)


def _failures(ledger: Ledger) -> Mapping[str, int]:
    failures = Counter[str]()
    for group in ledger.failures:
        failures[group.failure.reason] += len(group.indexes)
    return failures
