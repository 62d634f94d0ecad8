"""The look at a group: everything a decision depends on, read from the cluster, the broker and the loop's memory."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from taskgroup.api.names import FINALIZER
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.connections.linking import Link, Linker, LinkError
from taskgroup.core.completions import Completions
from taskgroup.core.groups.cutting import cut_now
from taskgroup.core.groups.observed import BrokerBooks, Observed, QueueState
from taskgroup.core.groups.recovery import needs_books
from taskgroup.core.hooks import EVERY_STEP
from taskgroup.core.indexes import NONE
from taskgroup.core.items.nulls import dropped_nulls
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.reading import Reading
from taskgroup.core.reading import trouble as trouble_of
from taskgroup.core.stages import Stage
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.task_id import newest_id
from taskgroup.core.trouble import Trouble
from taskgroup.groups.before_result import BeforeReader, has_succeeded, result_of
from taskgroup.groups.chunk_results import ChunkResults
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.inline_pool import inline_pool, route_of
from taskgroup.groups.items_reading import NO_CLUSTER, ItemsSource
from taskgroup.groups.memory import BeforeResult, Intake, Memory
from taskgroup.loops.clock import NEVER, Clock
from taskgroup.loops.meeting import Meeting
from taskgroup.transport.errors import BrokerError

ROTATION_SECONDS = 300
"""How late a changed Secret may be noticed whose old URL still works."""


def read_meta(body: Mapping[str, Any]) -> Meta:
    """Whose object it is, as kopf or the API server gives it."""
    metadata = body["metadata"]
    return Meta(
        uid=metadata["uid"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        generation=metadata.get("generation", 0),
        finalized=FINALIZER in metadata.get("finalizers", ()),
        deleting="deletionTimestamp" in metadata,
    )


class Observer:
    """Looks at one group; the same one serves all groups."""

    def __init__(
        self,
        linker: Linker,
        compiler: Compiler,
        clock: Clock,
        resync_seconds: float,
        items: ItemsSource | None = None,
    ) -> None:
        """Without `items` nobody reads those of spec.itemsFrom."""
        self._items = items
        self._linker = linker
        self._compiler = compiler
        self._reader = BeforeReader(compiler)
        self._clock = clock
        self._resync = resync_seconds

    async def observe(self, memory: Memory, body: Mapping[str, Any], meeting: Meeting) -> Observed:
        """One look. Troubles of the broker are part of what is seen."""
        meta, intake, record = read_meta(body), memory.intake, memory.record
        await self._compile(intake, meta, body["spec"])
        if meta.finalized and not meta.deleting:
            await self._link(intake, meta, meeting)
        reading = await self._read_items(memory, meta)
        queue, books, trouble = await self._broker(memory, meta, meeting)
        try:
            work, results = await self._results(memory, meta, queue, books)
        except BrokerError as error:
            # Without the result of spec.before nobody knows what the items are.
            queue, books, trouble, work, results = None, None, Trouble(error.reason, error.message), None, {}
        return Observed(
            meta=meta,
            spec=intake.compiled.spec,
            work=work,
            invalid=intake.compiled.invalid or intake.link_trouble or trouble_of(reading),
            reading=reading,
            status=record.status,
            ledger=record.ledger,
            queue=queue,
            books=books,
            backend_trouble=trouble,
            servers=intake.link.address.servers if intake.link else frozenset(),
            view=meeting.view,
            completions=await _judged(memory, meta, work),
            self_retried=intake.link.subscription.retrying if intake.link else NONE,
            results=results,
            before_flaw=intake.before.flaw if intake.before else None,
            carried=record.carried,
            suspicions=memory.searches.suspicions,
            dropped_nulls=_dropped_nulls(body, record.status),
            fresh_nonce=secrets.token_hex(8),
            resync_seconds=self._resync,
        )

    async def _read_items(self, memory: Memory, meta: Meta) -> Reading | None:
        """What is known of items outside of the object; None when nobody has to read any."""
        intake, spec = memory.intake, memory.intake.compiled.spec
        is_needed = spec is not None and spec.items_from is not None and spec.items_from.is_external
        if spec is None or not is_needed or intake.compiled.external is not None or intake.link is None:
            return None
        if not _goes_on(memory.record.status, spec):
            return None
        if self._items is None:
            return NO_CLUSTER
        reading = await self._items.look(intake, meta, spec)
        if reading.is_read and intake.source is not None:
            intake.compiled = await self._compiler.with_source(intake.compiled, meta, *intake.source)
            intake.link_checked = NEVER
        return reading

    async def _compile(self, intake: Intake, meta: Meta, spec: Mapping[str, Any]) -> None:
        compiled = await self._compiler.compile(intake.compiled, meta, spec)
        if compiled is not intake.compiled:
            intake.compiled, intake.pool_spec = compiled, None
            # The pool has to be described anew, and the spec may name another Secret.
            intake.link_checked = NEVER

    async def _link(self, intake: Intake, meta: Meta, meeting: Meeting) -> None:
        """Secrets are read again every resync time while something is wrong, seldom otherwise: for rotated ones."""
        spec, work = intake.compiled.spec, intake.compiled.work
        period = self._resync if _is_broken(intake) else max(self._resync, ROTATION_SECONDS)
        if spec is None or self._clock.monotonic() - intake.link_checked < period:
            return
        intake.link_checked = self._clock.monotonic()
        try:
            link = await self._linker.link(meta, spec, meeting.group.wake, intake.link)
            broker = self._linker.broker_of(meta, spec)
        except LinkError as error:
            intake.link_trouble = error.trouble
            return
        if link is not intake.link:
            intake.link, intake.outages, intake.pool_spec = link, intake.outages + 1, None
        if intake.pool_spec is None and work is not None:
            intake.pool_spec = inline_pool(meta.uid, spec, work, broker, link)
        intake.link_trouble = None

    async def _broker(
        self, memory: Memory, meta: Meta, meeting: Meeting
    ) -> tuple[QueueState | None, BrokerBooks | None, Trouble | None]:
        intake, link, view = memory.intake, memory.intake.link, meeting.view
        if link is None:
            return None, None, None
        if view is not None and view.set_aside != intake.set_aside:
            intake.set_aside, intake.outages = view.set_aside, intake.outages + 1
        try:
            pods = view.pods if view else ()
            queue = await link.connection.groups.observe(route_of(meta.uid), pods)
            books = await self._books(memory, meta, link, queue)
        except BrokerError as error:
            intake.outages, intake.broker_fails = intake.outages + 1, True
            return None, None, Trouble(error.reason, error.message)
        intake.broker_fails = False
        trouble = link.subscription.trouble
        return queue, books, Trouble(trouble.reason, trouble.message) if trouble else None

    async def _books(self, memory: Memory, meta: Meta, link: Link, queue: QueueState) -> BrokerBooks | None:
        is_adopted = memory.record.adopted == memory.intake.outages
        if not needs_books(memory.record.ledger, queue.state, is_adopted=is_adopted):
            return None
        work = cut_now(memory.intake.compiled.work, memory.record.status)
        units = work.units if work else memory.record.ledger.units
        if work is not None and work.awaits_items:
            units = EVERY_STEP
        return await link.connection.groups.books(meta.uid, units)

    async def _results(
        self, memory: Memory, meta: Meta, queue: QueueState | None, books: BrokerBooks | None
    ) -> tuple[Work | None, Mapping[Stage, str]]:
        """The work with the result of spec.before, and what the status shows of results.

        While the broker cannot be asked nothing is read for the first time: it may have lost its data, and the results
        with them. Then nobody knows the work.
        """
        work, link = memory.intake.compiled.work, memory.intake.link
        if work is None or not work.stages or link is None:
            return cut_now(work, memory.record.status), {}
        ledger = memory.record.ledger
        known = replace(
            ledger,
            passed=ledger.passed | _completions(memory).succeeded,
            attempts=books.attempts if books else ledger.attempts,
        )
        if queue is None and memory.intake.before is None and has_succeeded(work.stage(Stage.BEFORE), known):
            return None, {}
        before = memory.intake.before = await self._before(memory, meta, known)
        shown = {Stage.BEFORE: before.shown if before else None}
        for stage in (Stage.CALLBACK, Stage.ON_FAILURE):
            shown[stage] = await result_of(link.connection.results, meta.uid, work.stage(stage), known)
        results = {stage: text for stage, text in shown.items() if text is not None}
        return cut_now((before.work if before else None) or work, memory.record.status), results

    async def _before(self, memory: Memory, meta: Meta, ledger: Ledger) -> BeforeResult | None:
        """None until it has succeeded, and when nobody needs it any more."""
        compiled, link = memory.intake.compiled, memory.intake.link
        units = compiled.work.stage(Stage.BEFORE) if compiled.work else NONE
        if link is None or not has_succeeded(units, ledger) or phase_of(memory.record.status) is not Phase.RUNNING:
            return None
        name, known = newest_id(meta.uid, units.max(), ledger.attempts), memory.intake.before
        items = memory.record.status.items
        return await self._reader.read(link.connection.results, name, known, compiled, meta, items)


def _dropped_nulls(body: Mapping[str, Any], status: TaskGroupStatus) -> int:
    if phase_of(status) is not Phase.NEW:
        return 0
    return dropped_nulls(body["metadata"].get("annotations") or {}, body["spec"])


def _completions(memory: Memory) -> Completions:
    """What the sweep found, and what cannot be sent at all."""
    link = memory.intake.link
    found = link.subscription.completions if link else Completions()
    return found.plus(Completions(failed=memory.record.unsendable)) if memory.record.unsendable else found


def _goes_on(status: TaskGroupStatus, spec: TaskGroupSpec) -> bool:
    """Whether items are run, or will be: of an ended group when its owner asks for another run of some."""
    phase = phase_of(status)
    if phase is Phase.FINISHED:
        return spec.retry is not None and spec.retry.id != status.last_retry_id
    return phase in (Phase.NEW, Phase.RUNNING)


async def _judged(memory: Memory, meta: Meta, work: Work | None) -> Completions:
    """Without successes whose value nobody has looked at yet; those that are none are failures from now on."""
    intake, link, spec = memory.intake, memory.intake.link, memory.intake.compiled.spec
    success_when = spec.success_when if spec else None
    if work is None or link is None or not (work.chunking.flattens or success_when):
        return _completions(memory)
    ends = _completions(memory).succeeded & work.last
    reader = ChunkResults(link.connection.results, meta.uid, work, memory.record.ledger, success_when)
    good, bad = await reader.judge(ends - intake.judged)
    intake.judged = (intake.judged & ends) | good
    link.subscription.restate(bad)
    found = _completions(memory)
    return Completions(found.succeeded - ((found.succeeded & work.last) - intake.judged), found.failed)


def _is_broken(intake: Intake) -> bool:
    link = intake.link
    if link is None or link.subscription.trouble is not None:
        return True
    return intake.broker_fails or intake.link_trouble is not None
