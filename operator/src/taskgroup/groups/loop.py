"""The loop of one TaskGroup: look, decide, do, wait; level-triggered, so that any step may fail and is made up for."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskgroup.api.names import EventReason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.errors import ApiError, ConflictError, NotFoundError
from taskgroup.cluster.object_cache import is_newer
from taskgroup.cluster.port import GroupStore, StoredStatus, WorkerStore
from taskgroup.connections.linking import Linker
from taskgroup.core.groups.plan import Event, Plan
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.groups.resting import FOREVER, has_come_to_rest, rest_part
from taskgroup.core.ledger import Ledger
from taskgroup.core.merging import newest, with_ends_of
from taskgroup.core.meta import Meta
from taskgroup.core.snapshot import decode
from taskgroup.core.status.conditions import seconds as seconds_of
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.status.read_back import ledger_of
from taskgroup.groups.actions import FencedError
from taskgroup.groups.apply import Applier
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.memory import Compiled, Intake, Memory, Record
from taskgroup.groups.observe import Observer, read_meta
from taskgroup.loops.backoff import LAST_RETRY_SECONDS, Backoff, bug_message
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Meeting, Meetings
from taskgroup.loops.metrics import UNMEASURED, Controller, Fault, LookMetrics, Step
from taskgroup.loops.steps import Steps, fault_of
from taskgroup.loops.watchdog import name_task
from taskgroup.transport.errors import BrokerError

CONFLICT_SECONDS = 0.1
"""After somebody else wrote first."""
RETRY_SECONDS = 0.5

Body = Mapping[str, Any]


@dataclass(slots=True)
class Following:
    """What one run of a loop keeps while it drops its memory."""

    memory: Memory | None = None
    compiled: Compiled | None = None
    """A spec has to be read only once."""
    known: Ledger | None = None
    """The ledger of the last memory: what it counted stays counted, whatever has become of the stored one."""
    at_rest: StoredStatus | None = None
    """What was written last when a finished group was let go: the watch may tell it later."""
    is_first: bool = True
    """There was no memory yet."""
    conflicts: Backoff = field(default_factory=lambda: Backoff(CONFLICT_SECONDS))
    failures: Backoff = field(default_factory=lambda: Backoff(RETRY_SECONDS))


class GroupLoop:
    """Runs the loop of any group, from what all of them share."""

    def __init__(
        self,
        store: GroupStore,
        linker: Linker,
        compiler: Compiler,
        observer: Observer,
        applier: Applier,
        workers: WorkerStore,
        meetings: Meetings,
        clock: Clock,
        log: logging.Logger,
        metrics: LookMetrics = UNMEASURED,
    ) -> None:
        self._store = store
        self._linker = linker
        self._compiler = compiler
        self._observer = observer
        self._applier = applier
        self._workers = workers
        self._meetings = meetings
        self._clock = clock
        self._log = log
        self._metrics = metrics

    async def run(self, body: Body, is_stopped: Callable[[], bool]) -> None:
        """Until the object is being deleted or the operator ends; `body` is live."""
        uid = body["metadata"]["uid"]
        name_task(f"group={read_meta(body)}")
        meeting, following = self._meetings.of(uid), Following()
        try:
            while not is_stopped() and "deletionTimestamp" not in body["metadata"]:
                meeting.group.clear()
                # kopf's own patch comes first; everything outside waits for it.
                is_ready = read_meta(body).finalized
                seconds = await self._step(body, meeting, following) if is_ready else LAST_RETRY_SECONDS
                await meeting.group.wait(seconds)
        finally:
            await self.detach(uid, following)

    async def _step(self, body: Body, meeting: Meeting, following: Following) -> float:
        """One look, or what follows from its failure; returns the seconds until the next."""
        try:
            if following.memory is None and (left := await self._rest_left(body, following)) > 0:
                meeting.rest()
                return left
            plan, seconds = await self.look(body, meeting, following)
            if plan.rests and following.memory and self._applier.is_written_down(plan, following.memory):
                await self._rest(body, meeting, following)
        except (ConflictError, FencedError) as error:
            return await self._after_conflict(body, following, error)
        except (ApiError, BrokerError) as error:
            return await self._after_fault(body, meeting, following, error)
        except Exception as error:  # noqa: BLE001 - a bug in one look must not end both loops
            return await self._after_bug(body, following, error)
        following.conflicts.reset()
        following.failures.reset()
        return seconds

    async def _after_conflict(self, body: Body, following: Following, error: Exception) -> float:
        """Somebody else has written: all is read again."""
        self._metrics.conflicted(Controller.TASKGROUP)
        self._log.info("%s: looking again: %s", read_meta(body), str(error) or "the queue's state had changed")
        await self.detach(body["metadata"]["uid"], following)
        return following.conflicts.delay()

    async def _after_fault(
        self, body: Body, meeting: Meeting, following: Following, error: ApiError | BrokerError
    ) -> float:
        """A server refused, or could not be asked."""
        self._metrics.failed(Controller.TASKGROUP, fault_of(error))
        self._log.warning("%s: %s", read_meta(body), error)
        if isinstance(error, NotFoundError) and await self._is_gone(read_meta(body)):
            meeting.end()
            return 0.0
        if isinstance(error, ApiError) and error.status:
            await self._show_hindrance(body, following, error.message)
        return following.failures.delay()

    async def _after_bug(self, body: Body, following: Following, error: Exception) -> float:
        self._metrics.failed(Controller.TASKGROUP, Fault.BUG)
        self._log.error("%s: a bug", read_meta(body), exc_info=error)
        await self.detach(body["metadata"]["uid"], following)
        await self._show_hindrance(body, following, bug_message(error))
        return following.failures.delay()

    async def _rest_left(self, body: Body, following: Following) -> float:
        """How long a finished group may stay as it is, as far as is known without a request; 0 when it may not."""
        if not body.get("status"):
            return 0.0
        meta, status = read_meta(body), _newest_status(body, following.at_rest)
        if not has_come_to_rest(meta, status) or not await self._workers.are_none(meta):
            return 0.0
        time_to_live = body["spec"].get("ttlSecondsAfterFinished")
        if time_to_live is None or status.completion_time is None:
            return FOREVER
        return seconds_of(status.completion_time) + float(time_to_live) - self._clock.now()

    async def _rest(self, body: Body, meeting: Meeting, following: Following) -> None:
        """All is written down: connection, memory and what was compiled are let go, but not what was counted."""
        if following.memory is not None:
            record = following.memory.record
            following.at_rest = StoredStatus(rest_part(record.status), record.version)
        await self.detach(body["metadata"]["uid"], following)
        following.compiled = None
        meeting.rest()

    async def _is_gone(self, meta: Meta) -> bool:
        """The watch may miss a deletion, when somebody took the finalizer away."""
        try:
            await self._store.read_status(meta)
        except NotFoundError:
            return True
        except ApiError:
            return False
        return False

    async def look(self, body: Body, meeting: Meeting, following: Following) -> tuple[Plan, float]:
        """Observe, decide, apply; returns what was decided and the seconds until the next look."""
        memory = following.memory = following.memory or await self._attach(body, following)
        steps = Steps(self._metrics, Controller.TASKGROUP, self._clock)
        seen = steps.done(Step.OBSERVE, await self._observer.observe(memory, body, meeting))
        plan = steps.done(Step.DECIDE, reconcile(seen, self._clock.now()))
        seconds = steps.done(Step.APPLY, await self._applier.apply(plan, seen, memory, meeting))
        self._metrics.succeeded(Controller.TASKGROUP)
        return plan, seconds

    async def _show_hindrance(self, body: Body, following: Following, message: str) -> None:
        """What fails again and again is shown in the Ready condition, if that much is allowed."""
        meta = read_meta(body)
        try:
            record = following.memory.record if following.memory else await self._record(meta, Ledger(), None)
            await self._applier.show_hindrance(meta, record, message)
        except ApiError as second:
            self._log.warning("%s: %s", meta, second)

    async def _attach(self, body: Body, following: Following) -> Memory:
        """Memory from what is written down: the object itself and the ledger."""
        meta = read_meta(body)
        following.compiled = await self._compiler.compile(following.compiled, meta, body["spec"])
        if following.is_first and _is_untouched(body):
            return Memory(Intake(following.compiled), _new_record(body))
        saved = await self._store.load_ledger(meta)
        ledger, events = self._decode(saved.data, meta) if saved else (Ledger(), ())
        record = await self._record(meta, ledger, saved.version if saved else None)
        record.ledger, record.extra_events = _recalled(ledger, following.known, record.status), events
        return Memory(Intake(following.compiled), record)

    async def _record(self, meta: Meta, ledger: Ledger, ledger_version: str | None) -> Record:
        stored = await self._store.read_status(meta)
        return Record(stored.status, stored.version, ledger, ledger, ledger_version)

    def _decode(self, data: bytes, meta: Meta) -> tuple[Ledger, tuple[Event, ...]]:
        """A ledger that cannot be read is made again from the broker and the results."""
        try:
            return decode(data), ()
        except ValueError as error:
            self._log.error("%s: %s; starting from what the broker knows.", meta, error)
            text = (
                f"The record of the items cannot be read ({error}): it is made again from the broker and the results."
            )
            return Ledger(), (Event(EventReason.RECORD_UNREADABLE, text, warning=True),)

    async def detach(self, uid: str, following: Following) -> None:
        """Drop the memory: somebody else may have written."""
        memory, following.memory = following.memory, None
        if memory is None:
            return
        following.compiled, following.is_first = memory.intake.compiled, False
        if memory.record.ledger_version is not None:
            following.known = memory.record.ledger
        if memory.searches.task is not None:
            memory.searches.task.cancel()
        if memory.intake.link is not None:
            await self._linker.unlink(uid, memory.intake.link)


def _newest_status(body: Body, written: StoredStatus | None) -> TaskGroupStatus:
    if written is not None and is_newer(written.version, body["metadata"]["resourceVersion"]):
        return written.status
    return TaskGroupStatus.model_validate(body["status"])


def _is_untouched(body: Body) -> bool:
    """The API server itself puts an observed generation of -1 into a new object."""
    return (body.get("status") or {}).keys() <= {"observedGeneration"}


def _new_record(body: Body) -> Record:
    """Of a group that nothing was written of, as far as the watch tells: no request, a thousand may come at once.

    Else the first write, that of the ledger or of the status, is refused, and everything is read.
    """
    status = TaskGroupStatus.model_validate(body.get("status") or {})
    return Record(status, body["metadata"]["resourceVersion"], Ledger(), Ledger(), None)


def _recalled(stored: Ledger, known: Ledger | None, status: TaskGroupStatus) -> Ledger:
    """What is stored, with what this operator has counted and what the status shows."""
    ledger = stored if known is None else newest(known, stored)
    return with_ends_of(ledger, ledger_of(status)) if phase_of(status) is Phase.RUNNING else ledger
