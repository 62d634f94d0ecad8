"""The operator's books: what is known of every item and of its units. Values only; `snapshot` says how they are saved.

Each item is in exactly one place: pending, in flight, succeeded, failed or cancelled. Pending and in flight are not
stored: they follow from the cursors (how much of each lane was ever dispatched), from `released` (which later steps
were) and from `returned` (what came back).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import FailureGroup, added, without
from taskgroup.core.hooks import HOOK_UNITS, all_hooks
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.chunks import Chunks
from taskgroup.core.items.lanes import Lane
from taskgroup.core.retries import NO_RETRIES, Retries
from taskgroup.core.stages import FIRST_UNITS, STAGE_UNITS
from taskgroup.core.tokens import Tokens
from taskgroup.core.units import ITEM_UNITS, Units, after, items_of, units_of, without_items

Attempts = Mapping[int, int]
"""A number for each unit that has one."""
_NO_ATTEMPTS: Attempts = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The books of one group."""

    total: int = 0
    steps: int = 1
    """Most units of one item."""
    nonce: str = ""
    """Names this group's state in Redis; another or none there means that Redis lost data."""
    cursors: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    """Priority to the number of its lane's items that were dispatched at least once."""
    returned: Units = NONE
    """In the broker no more, or not yet: to be dispatched as soon as there is room."""
    released: Units = field(default=NONE, compare=False)
    """Later steps whose turn has come, as the broker knows them: asked for at each start, never saved."""
    passed: Units = NONE
    """Steps that succeeded and are not the last one of their item, and hooks that succeeded."""
    succeeded: Indexes = NONE
    failed: Indexes = NONE
    cancelled: Indexes = NONE
    attempts: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Unit to the suffix of its newest task id; absent means 0."""
    missed: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Unit to how often it was found missing and dispatched again."""
    losses: Attempts = field(default_factory=lambda: _NO_ATTEMPTS, compare=False)
    """Unit to how many workers died with it, as the broker counts them: asked for at each start, never saved."""
    interruptions: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Unit to how often the broker's absence ended an attempt of it."""
    failures: tuple[FailureGroup, ...] = ()
    retries: Retries = NO_RETRIES
    stage_failures: Mapping[int, Failure] = field(default_factory=lambda: MappingProxyType({}))
    """Unit of a stage to why it failed."""
    failed_hooks: Units = NONE
    ran_seconds: float = 0.0
    """Running time up to the last suspension."""
    running_since: float | None = None
    chunks: Chunks = field(default=Chunks(), compare=False)
    """Which items are in one message, as the status and the spec tell at each look: never saved."""
    turns: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Later unit with a countdown to the second since the epoch at which its turn came."""
    again_id: str = ""
    """The spec.retry that these books know of."""
    tokens: Tokens = field(default=Tokens())
    """Of spec.rateLimit."""
    unknown_tasks: tuple[str, ...] = ()
    """Tasks that no worker knew when they were last tried, sorted; their items are held back until one does."""

    @property
    def ended(self) -> Indexes:
        """Items that will not run again."""
        return self.succeeded | self.failed | self.cancelled

    @property
    def unfinished(self) -> int:
        """How many items have not ended."""
        return self.total - len(self.ended)

    @property
    def open_entries(self) -> int:
        """How many of the messages with which items begin have not ended."""
        if self.chunks.size == 1:
            return self.unfinished
        return len(self.chunks.entries(self.total) - self.ended)

    def items_of(self, units: Units) -> Indexes:
        """All items that are in the messages of these units, all of which are items'."""
        return self.chunks.members(items_of(units), self.total)

    def count_items(self, units: Units) -> int:
        """How many items are in the messages of these units of different items; stages and hooks have none."""
        if self.chunks.size == 1:
            return units.intersection_cardinality(ITEM_UNITS)
        return self.chunks.count(items_of(units & ITEM_UNITS), self.total)

    @property
    def over(self) -> Units:
        """Units that will not run again: what workers still hold of them is a remainder."""
        return (self.passed | units_of(self.ended, self.steps)) | self._failed_others

    @property
    def _failed_others(self) -> Units:
        """Stages and hooks."""
        return self.failed_hooks | FrozenBitMap(list(self.stage_failures)) if self.stage_failures else self.failed_hooks

    @property
    def units(self) -> Units:
        """All units that there can be."""
        items = full(self.total)
        return units_of(items, self.steps) | STAGE_UNITS | all_hooks(items)

    @property
    def due(self) -> Units:
        """Steps whose turn has come, if there are such, and the broker does not know it yet."""
        return without_items(after(self.passed - HOOK_UNITS) - self.released - FIRST_UNITS, self.ended)

    @property
    def retrying(self) -> Units:
        """Units that failed and wait for another attempt."""
        if not self.retries.due:
            return NONE
        return without_items(self.retries.waiting - self.passed - self._failed_others, self.ended)

    def ever_dispatched(self, lanes: Iterable[Lane]) -> Indexes:
        """Items whose first message was put on the queue at least once."""
        dispatched = BitMap()
        for lane in lanes:
            dispatched |= lane.indexes[: self.cursors.get(lane.priority, 0)]
        return FrozenBitMap(dispatched)

    def in_flight(self, lanes: Iterable[Lane]) -> Units:
        """Units that are on the queue or with a worker."""
        begun = self.ever_dispatched(lanes) | self.released
        there = begun - self.returned - self.passed - self._failed_others - self.retries.waiting
        return without_items(there, self.ended)

    def is_dispatched(self) -> bool:
        """Whether anything was ever put on the queue."""
        return any(self.cursors.values()) or bool(self.released) or bool(self.passed)

    def running_seconds(self, now: float) -> float:
        """Running time so far, suspension not counted."""
        return self.ran_seconds + (now - self.running_since if self.running_since is not None else 0.0)

    def paused(self, now: float) -> "Ledger":
        """The clock of the running time stands."""
        return replace(self, ran_seconds=self.running_seconds(now), running_since=None)

    def dispatched(self, priority: int, cursor: int) -> "Ledger":
        """The first `cursor` items of a lane were put on the queue."""
        return replace(self, cursors=MappingProxyType({**self.cursors, priority: cursor}))

    def skipped(self, priority: int, cursor: int, indexes: Indexes) -> "Ledger":
        """Items that count as dispatched and returned, although they never were on the queue."""
        return self.dispatched(priority, cursor).withdrawn(indexes)

    def withdrawn(self, units: Units) -> "Ledger":
        """Units whose message left the broker without an end wait for another dispatch."""
        waiting = (self.returned | units) - self.passed - self._failed_others - self.retries.waiting
        return replace(self, returned=without_items(waiting, self.ended))

    def marked_missing(self, units: Units) -> "Ledger":
        """Units that were found missing wait for another dispatch, and each such time is counted."""
        counted = {unit: self.missed.get(unit, 0) + 1 for unit in units}
        return replace(self.withdrawn(units), missed=MappingProxyType({**self.missed, **counted}))

    def interrupted(self, units: Units) -> "Ledger":
        """Attempts that the broker's absence has ended, one more for each of these units."""
        counted = {unit: self.interruptions.get(unit, 0) + 1 for unit in units}
        return replace(self, interruptions=MappingProxyType({**self.interruptions, **counted})) if counted else self

    def redispatched(self, units: Units) -> "Ledger":
        """Returned units that were dispatched."""
        return replace(self, returned=self.returned - units)

    def renewed(self, attempts: Attempts) -> "Ledger":
        """Units that wait for a dispatch under a new task id."""
        merged, units = MappingProxyType({**self.attempts, **attempts}), FrozenBitMap(list(attempts))
        return replace(self, retries=self.retries.without(units), attempts=merged).withdrawn(units)

    def passed_with(self, units: Units) -> "Ledger":
        """Steps that succeeded, so that those behind them are due."""
        if not units:
            return self
        fresh = without_items(units & self.units, self.ended)
        others = {unit: failure for unit, failure in self.stage_failures.items() if unit not in fresh}
        return replace(
            self,
            passed=self.passed | fresh,
            returned=self.returned - fresh,
            stage_failures=MappingProxyType(others),
            failed_hooks=self.failed_hooks - fresh,
        )

    def released_with(self, units: Units) -> "Ledger":
        """Later steps that wait for their first dispatch."""
        return replace(self, released=self.released | units).withdrawn(units)

    def succeeded_with(self, indexes: Indexes) -> "Ledger":
        """SUCCESS is final: it also corrects an earlier failure."""
        fresh = indexes & full(self.total)
        return replace(
            self,
            succeeded=self.succeeded | fresh,
            failed=self.failed - fresh,
            cancelled=self.cancelled - fresh,
            returned=without_items(self.returned, fresh),
            failures=tuple(kept for group in self.failures if (kept := without(group, fresh)).indexes),
        )

    def units_failed_with(self, failure: Failure, units: Units, now: float) -> "Ledger":
        """Failures of one kind: of items by any of their units, of stages and of hooks."""
        items, others = units & ITEM_UNITS, units - ITEM_UNITS
        return self._others_failed_with(failure, others).failed_with(failure, self.items_of(items), now)

    def _others_failed_with(self, failure: Failure, units: Units) -> "Ledger":
        fresh = units - self.passed - self._failed_others
        if not fresh:
            return self
        failures = {**self.stage_failures, **dict.fromkeys(fresh & STAGE_UNITS, failure)}
        return replace(
            self,
            stage_failures=MappingProxyType(failures),
            failed_hooks=self.failed_hooks | (fresh & HOOK_UNITS),
            returned=self.returned - fresh,
        )

    def failed_with(self, failure: Failure, indexes: Indexes, now: float) -> "Ledger":
        """Failures of one kind; items that ended before are left alone."""
        if not indexes:
            return self
        fresh = (indexes & full(self.total)) - self.ended
        if not fresh:
            return self
        return replace(
            self,
            failed=self.failed | fresh,
            returned=without_items(self.returned, fresh),
            failures=added(self.failures, FailureGroup(failure, fresh, now)),
        )

    def reopened(self, indexes: Indexes) -> "Ledger":
        """Items that have not ended after all."""
        failures = tuple(kept for group in self.failures if (kept := without(group, indexes)).indexes)
        return replace(self, failed=self.failed - indexes, cancelled=self.cancelled - indexes, failures=failures)

    def failure_of(self, index: int) -> FailureGroup | None:
        """Why an item failed."""
        return next((group for group in self.failures if index in group.indexes), None)

    def cancelled_rest(self) -> "Ledger":
        """The group ends now: whatever has not ended is cancelled."""
        rest = full(self.total) - self.ended
        return replace(self, cancelled=self.cancelled | rest, returned=NONE)
