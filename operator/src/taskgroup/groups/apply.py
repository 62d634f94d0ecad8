"""A Plan carried out, in an order that survives a kill at any point: ledger, transition, actions, status, events."""

from pyroaring import BitMap

from taskgroup.cluster.errors import ConflictError
from taskgroup.cluster.port import GroupStore
from taskgroup.core.groups.figures import figures_of
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.on_failure import followed
from taskgroup.core.groups.plan import Plan
from taskgroup.core.indexes import NONE
from taskgroup.core.meta import Meta
from taskgroup.core.snapshot import encode
from taskgroup.core.status.conditions import with_hindrance
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units
from taskgroup.groups import searching
from taskgroup.groups.actions import Actions
from taskgroup.groups.items_reading import ItemsReader
from taskgroup.groups.memory import NOT_ADOPTED, Memory, Record
from taskgroup.loops.action_log import log_event
from taskgroup.loops.budget import WriteBudget
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Assignment, Meeting
from taskgroup.loops.metrics import UNMEASURED, GroupMetrics, Saved

STATUS_SECONDS = 1.0
"""At most one status write of a group in this time."""
NEAR_END_WAIT_SECONDS = 0.9
"""How long a status may wait for the one that tells the end: its counts are never two seconds behind."""
SAVE_BYTES_PER_SECOND = 65_536
SAVE_SECONDS = 1.0
"""Least time between two saves that nothing waits for."""
REFRESH_SECONDS = 5.0
"""Least time between two figures of one status."""


class Applier:
    """Carries out plans; the same one serves all groups."""

    def __init__(
        self,
        store: GroupStore,
        clock: Clock,
        cluster_id: str,
        budget: WriteBudget,
        metrics: GroupMetrics = UNMEASURED,
        items: ItemsReader | None = None,
    ) -> None:
        self._items = items
        self._store = store
        self._metrics = metrics
        self._budget = budget
        self._clock = clock
        self._cluster_id = cluster_id

    async def apply(self, plan: Plan, seen: Observed, memory: Memory, meeting: Meeting) -> float:
        """Returns the seconds until the next look. Only what informs waits for its turn; a transition never does."""
        record = memory.record
        self._take_over(plan, memory)
        unsaved = await self._save(plan, seen, memory)
        if plan.transition:
            self._budget.spend(_status_of(seen.meta), self._clock.monotonic())
            await self._write(plan, seen.meta, record)
        self._tell(plan, seen.meta, memory, meeting)
        if searching.told_strays(memory.searches):
            meeting.strays_changed = meeting.workers_changed = True
            meeting.pool.wake()
        await self._act(plan, seen, memory)
        self._follow(plan, seen, memory)
        unwritten = 0.0 if plan.transition else await self._write_in_turn(plan, seen.meta, record)
        self._measure(plan, seen, memory)
        return min([plan.wake_after, *(seconds for seconds in (unsaved, unwritten) if seconds > 0)])

    @staticmethod
    def is_written_down(plan: Plan, memory: Memory) -> bool:
        """Whether nothing of what the plan says would be lost with the memory."""
        record = memory.record
        is_saved = record.ledger == record.saved or not record.ledger.nonce
        return is_saved and plan.status == record.status and not record.extra_events and not record.forget

    async def _write_in_turn(self, plan: Plan, meta: Meta, record: Record) -> float:
        """Returns the seconds for which a changed status still waits."""
        if plan.status == record.status and not record.extra_events:
            return 0.0
        now = self._clock.monotonic()
        left = record.status_written + STATUS_SECONDS - now
        left += NEAR_END_WAIT_SECONDS if plan.near_end else 0.0
        if left <= 0:
            left = self._budget.wait(_status_of(meta), now)
        if left <= 0:
            await self._write(plan, meta, record)
        return left

    async def _act(self, plan: Plan, seen: Observed, memory: Memory) -> None:
        """An answer that is lost on the way leaves the ledger behind the broker: it is adopted again then."""
        memory.record.adopted = NOT_ADOPTED
        actions = Actions(self._store, memory, seen, self._clock, self._cluster_id, self._metrics, self._items)
        for action in plan.actions:
            await actions.perform(action)
        if seen.queue is not None:
            memory.record.adopted = memory.intake.outages

    def _take_over(self, plan: Plan, memory: Memory) -> None:
        record = memory.record
        record.ledger, record.carried = plan.ledger, plan.carried
        record.forget |= plan.forget
        record.unsendable = {unit: why for unit, why in record.unsendable.items() if unit not in plan.counted.failed}
        record.extra_events += plan.extra_events

    async def _save(self, plan: Plan, seen: Observed, memory: Memory) -> float:
        """Returns the seconds for which a changed ledger still waits."""
        record = memory.record
        if record.ledger == record.saved and record.ledger_version is not None:
            await self._forget(seen, memory)
            return 0.0
        if not record.ledger.nonce:
            return 0.0
        left = 0.0 if plan.save else self._save_wait(seen.meta, record)
        if left > 0:
            self._metrics.unsaved(seen.meta)
            return left
        if plan.save:
            self._budget.spend(_ledger_of(seen.meta), self._clock.monotonic())
        data = encode(record.ledger)
        await self._store_ledger(seen.meta, data, record)
        record.save_allowed = self._clock.monotonic() + max(SAVE_SECONDS, len(data) / SAVE_BYTES_PER_SECOND)
        await self._forget(seen, memory)
        return 0.0

    async def _store_ledger(self, meta: Meta, data: bytes, record: Record) -> None:
        result = Saved.ERROR
        try:
            record.ledger_version = await self._store.save_ledger(meta, data, record.ledger_version)
            result = Saved.SUCCESS
        except ConflictError:
            result = Saved.CONFLICT
            raise
        finally:
            self._metrics.saved(meta, result, len(data))
        record.saved = record.ledger

    def _save_wait(self, meta: Meta, record: Record) -> float:
        now = self._clock.monotonic()
        left = record.save_allowed - now
        return left if left > 0 else self._budget.wait(_ledger_of(meta), now)

    async def _forget(self, seen: Observed, memory: Memory) -> None:
        """Values that nobody wants go once they are counted for good.

        Not while the servers do not answer: the status, which comes later, has to say that.
        """
        record, link = memory.record, memory.intake.link
        if not record.forget or link is None or seen.queue is None or seen.backend_trouble is not None:
            return
        attempts = record.ledger.attempts
        ids = [newest_id(seen.meta.uid, unit, attempts) for unit in record.forget]
        await link.connection.results.delete(ids)
        record.forget = NONE

    async def _write(self, plan: Plan, meta: Meta, record: Record) -> None:
        # An operator that was paused would else write what it last knew over what its successor has written.
        record.version = await self._store.write_status(meta, plan.status, record.version)
        record.status = plan.status
        record.status_written = self._clock.monotonic()
        extra_events, record.extra_events = record.extra_events, ()
        for event in (*extra_events, *plan.events):
            log_event(meta, event)
            await self._store.post_event(meta, event)

    async def show_hindrance(self, meta: Meta, record: Record, message: str) -> None:
        """Show in the Ready condition why the operator itself cannot go on."""
        conditions = with_hindrance(record.status.conditions or (), message, meta.generation, self._clock.now())
        shown = record.status.model_copy(update={"conditions": conditions})
        if shown != record.status and record.status_written + STATUS_SECONDS <= self._clock.monotonic():
            record.version = await self._store.write_status(meta, shown, record.version)
            record.status, record.status_written = shown, self._clock.monotonic()

    def _tell(self, plan: Plan, meta: Meta, memory: Memory, meeting: Meeting) -> None:
        """Nothing is told before the finalizer is in the object: the pool would make a Deployment."""
        if not meta.finalized or meta.deleting:
            return
        link = memory.intake.link
        meeting.tell(Assignment(meta, memory.intake.pool_spec, link.address if link else None, plan.demand))

    def _measure(self, plan: Plan, seen: Observed, memory: Memory) -> None:
        """Ends at once; figures with each status that is written, and again while it stands: queue and window move."""
        record, now = memory.record, self._clock.monotonic()
        self._measure_ends(plan, seen.meta, memory, now)
        is_new = record.measured is not record.status
        if plan.status != record.status or not (is_new or now - record.measured_at >= REFRESH_SECONDS):
            return
        record.dispatch_times.retain(_in_flight(seen, record))
        tell = self._metrics.show if is_new else self._metrics.refresh
        tell(seen.meta, figures_of(seen, plan, record.dispatch_times.oldest, self._clock.now()))
        record.measured, record.measured_at = record.status, now

    def _measure_ends(self, plan: Plan, meta: Meta, memory: Memory, now: float) -> None:
        record, link = memory.record, memory.intake.link
        if link is not None and link.subscription.run_seconds:
            self._metrics.ran(meta, link.subscription.run_seconds)
            link.subscription.run_seconds = []
        counted = BitMap(plan.counted.failed) | plan.counted.succeeded
        for units, seconds in record.dispatch_times.take(counted & record.ledger.over, now) if counted else ():
            self._metrics.ended(meta, units, seconds)

    def _follow(self, plan: Plan, seen: Observed, memory: Memory) -> None:
        link = memory.intake.link
        if link is not None:
            link.subscription.confirm(plan.counted)
            link.subscription.follow(_in_flight(seen, memory.record), memory.record.ledger.attempts)


def _status_of(meta: Meta) -> str:
    return f"{meta.uid}/status"


def _ledger_of(meta: Meta) -> str:
    return f"{meta.uid}/ledger"


def _in_flight(seen: Observed, record: Record) -> Units:
    phase = phase_of(record.status)
    if seen.work is None or phase not in (Phase.RUNNING, Phase.DECIDED):
        return NONE
    return record.ledger.in_flight(seen.work.lanes) if phase is Phase.RUNNING else followed(record.ledger, seen.work)
