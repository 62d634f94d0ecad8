"""What is known of one group's figures, and which values of which metrics that makes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from taskgroup.api.names import State
from taskgroup.core.groups.figures import ConditionFigure, GroupFigures
from taskgroup.loops.metrics import Move
from taskgroup.serve.metrics import group_metrics as names
from taskgroup.serve.metrics.buckets import Buckets
from taskgroup.serve.metrics.definitions import Metric

MAX_REASONS = 10
"""Exception classes of one group that have a series of their own: a tenant chooses their names."""
OTHER = "other"
_TRUTH = {"True": 1.0, "False": 0.0, "Unknown": -1.0}
_MOVES = {
    Move.DISPATCHED: names.DISPATCHED,
    Move.REDISPATCHED: names.REDISPATCHED,
    Move.WITHDRAWN: names.WITHDRAWN,
    Move.MISSING: names.MISSING,
    Move.INTERRUPTED: names.INTERRUPTED,
    Move.RETRIED: names.RETRIED,
    Move.DIED: names.LOSSES,
}

Key = tuple[Metric, tuple[str, ...]]
"""A metric, and its labels after namespace and taskgroup."""
Value = tuple[Key, float]


@dataclass(slots=True)
class GroupEntry:
    """One group."""

    namespace: str
    name: str
    changed: float
    """Monotonic time of the last change."""
    figures: GroupFigures | None = None
    moves: Counter[Move] = field(default_factory=Counter)
    pods_started: int = 0
    restarts: int = 0
    reasons: list[str] = field(default_factory=list)
    """Exception classes that have a series: once they have it they keep it."""
    durations: Buckets = field(default_factory=lambda: Buckets(names.DURATION_SECONDS.buckets))
    run_times: Buckets = field(default_factory=lambda: Buckets(names.RUN_SECONDS.buckets))

    @property
    def has_ended(self) -> bool:
        """Either way."""
        return self.figures is not None and self.figures.state in (State.COMPLETE, State.FAILED)

    def show(self, figures: GroupFigures) -> None:
        """What is known of it now."""
        self.figures = figures
        new = [reason for reason in figures.failures if reason not in self.reasons]
        self.reasons += new[: MAX_REASONS - len(self.reasons)]


def gauges(figures: GroupFigures, now: float) -> Iterator[Value]:
    """What a group's own series show at this monotonic time, besides what can be added up."""
    yield (names.STATE, (figures.state,)), 1
    yield from map(_condition, figures.conditions)
    given = (
        (names.START, figures.start),
        (names.COMPLETION, figures.completion),
        (names.DEADLINE, figures.deadline),
        (names.ESTIMATE, figures.estimate),
        (names.RATE_LIMIT, figures.rate_limit),
    )
    for metric, value in given:
        if value:
            yield (metric, ()), float(value)
    for stage, state in figures.stages:
        yield (names.STAGE, (stage, state)), 1
    for step, count in enumerate(figures.passed):
        yield (names.STEPS_PASSED, (str(step),)), count
    # An age grows while nothing happens, and that is when somebody looks at it.
    yield (names.OLDEST, ()), 0.0 if figures.oldest is None else max(0.0, now - figures.oldest)
    if figures.trouble:
        yield (names.WORKER_TROUBLE, (figures.trouble,)), 1


def _condition(condition: ConditionFigure) -> Value:
    return (names.CONDITION, (condition.type, condition.reason)), _TRUTH[condition.status]


def sums(figures: GroupFigures) -> Iterator[Value]:
    """Gauges of which the sum over groups means something."""
    for state in ("pending", "active", "retrying", "succeeded", "failed", "cancelled"):
        yield (names.ITEMS, (state,)), getattr(figures, state)
    yield (names.RATE, ()), figures.rate or 0
    yield (names.QUEUED, ()), figures.queued
    yield (names.HELD, ()), figures.held
    yield (names.WINDOW, ()), figures.window
    yield (names.WORKERS_WANTED, ()), figures.wanted
    yield (names.WORKERS_PRESENT, ()), figures.present
    yield (names.WORKERS_READY, ()), figures.ready
    yield (names.WORKERS_BUSY, ()), figures.busy
    yield (names.WORKER_SLOTS, ()), figures.slots


def counters(entry: GroupEntry) -> Iterator[Value]:
    """What only grows."""
    figures = entry.figures
    if figures is None:
        return
    for outcome in ("succeeded", "failed", "cancelled"):
        yield (names.ENDED, (outcome,)), getattr(figures, outcome)
    yield from _failures(entry, figures)
    yield (names.LOST, ()), figures.lost
    for move, metric in _MOVES.items():
        yield (metric, ()), entry.moves[move]
    yield (names.WORKER_STARTS, ()), entry.pods_started
    yield (names.WORKER_RESTARTS, ()), entry.restarts


def _failures(entry: GroupEntry, figures: GroupFigures) -> Iterator[Value]:
    for reason in entry.reasons:
        yield (names.FAILURES, (reason,)), figures.failures.get(reason, 0)
    rest = sum(count for reason, count in figures.failures.items() if reason not in entry.reasons)
    if rest:
        yield (names.FAILURES, (OTHER,)), rest
