"""The look: everything a decision depends on, read from the cluster, Redis and the loop's memory."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pyroaring import FrozenBitMap

from taskgroup.api.names import FINALIZER, Reason
from taskgroup.broker.keys import GroupKeys
from taskgroup.broker.port import BrokerBooks, QueueState
from taskgroup.connections.linking import Link, Linker, LinkError
from taskgroup.core.groups.observed import (
    Arrivals,
    BrokerFacts,
    FailedItem,
    Meta,
    Observed,
    PodFacts,
    Trouble,
    WorkerFacts,
)
from taskgroup.core.groups.recovery import MAX_LOSSES, POISON
from taskgroup.core.indexes import Indexes
from taskgroup.groups.compiling import compile_beside
from taskgroup.groups.memory import Memory
from taskgroup.loops.wakeups import Wakeup
from taskgroup.pools.workers import Scaler
from taskgroup.results.sweep import Arrivals as Delivered
from taskgroup.results.sweep import Ended
from taskgroup.settings import Settings
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


def keys_of(uid: str, link: Link) -> GroupKeys:
    """The group's keys in the broker's Redis."""
    return GroupKeys(link.address.broker_options.global_key_prefix or "", uid)


class Observer:
    """Looks at one group; the same one serves all groups."""

    def __init__(self, settings: Settings, linker: Linker, scaler: Scaler) -> None:
        self._linker = linker
        self._scaler = scaler
        self._resync = settings.resync_seconds

    async def observe(self, memory: Memory, body: Mapping[str, Any], wakeup: Wakeup) -> Observed:
        """One look. Troubles of the broker are part of what is seen; those of the API server are raised."""
        meta = read_meta(body)
        compiled = await compile_beside(memory.compiled, meta, body["spec"])
        if compiled is not memory.compiled:
            memory.compiled, memory.early = compiled, None
        if meta.finalized and not meta.deleting:
            await self._link(memory, meta, wakeup)
            await self._workers(memory, meta, wakeup)
        facts, trouble = await self._broker(memory, meta)
        self._collect(memory)
        return Observed(
            meta=meta,
            spec=compiled.spec,
            work=compiled.work,
            invalid=compiled.invalid or memory.link_trouble,
            status=memory.status,
            ledger=memory.ledger,
            broker=facts,
            backend_trouble=trouble,
            workers=replace(memory.workers, early=memory.early),
            arrivals=memory.arrivals,
            pace=memory.pace,
            suspicions=memory.suspicions,
            requeued=memory.requeued,
            fresh_nonce=secrets.token_hex(8),
        )

    async def _link(self, memory: Memory, meta: Meta, wakeup: Wakeup) -> None:
        """Secrets are read again every resync time while something is wrong, seldom otherwise: for rotated ones."""
        spec = memory.compiled.spec
        period = self._resync if _is_broken(memory) else max(self._resync, ROTATION_SECONDS)
        if spec is None or time.monotonic() - memory.link_checked < period:
            return
        memory.link_checked = time.monotonic()
        try:
            link = await self._linker.link(meta, spec, wakeup.wake, memory.link)
        except LinkError as error:
            memory.link_trouble = error.trouble
            return
        if link is not memory.link:
            memory.link, memory.merged = link, False
        memory.link_trouble = None

    async def _workers(self, memory: Memory, meta: Meta, wakeup: Wakeup) -> None:
        due = time.monotonic() - memory.workers_read >= self._resync
        if not wakeup.workers_changed and not due:
            return
        wakeup.workers_changed = False
        memory.workers_read = time.monotonic()
        found = await self._scaler.observe(meta, memory.compiled, memory.link)
        trouble = memory.refused or found.trouble
        memory.workers = replace(found, pods=(*found.pods, *_gone(memory.workers, found)), trouble=trouble)

    async def _broker(self, memory: Memory, meta: Meta) -> tuple[BrokerFacts | None, Trouble | None]:
        link = memory.link
        if link is None:
            return None, None
        keys = keys_of(meta.uid, link)
        try:
            facts = await link.backend.broker.observe(keys, [pod.name for pod in memory.workers.pods])
            await self._merge(memory, keys, link, facts)
        except BrokerError as error:
            memory.merged, memory.broker_fails = False, True
            return None, Trouble(error.reason, error.message)
        memory.broker_fails = False
        memory.fence = facts.state.fence if facts.state else None
        trouble = link.subscription.trouble
        seen = BrokerFacts(
            nonce=facts.state.nonce if facts.state else None,
            epoch=facts.state.epoch if facts.state else 0,
            queued=facts.queued,
            unacked=dict(facts.unacked),
        )
        memory.workers = _without_settled(memory.workers, seen)
        return seen, Trouble(trouble.reason, trouble.message) if trouble else None

    async def _merge(self, memory: Memory, keys: GroupKeys, link: Link, facts: QueueState) -> None:
        """Redis knows best what was dispatched: after a restart, or when an answer was lost, the ledger follows it."""
        state, ledger = facts.state, memory.ledger
        if state is None or ledger.nonce not in ("", state.nonce):
            return
        if memory.merged and dict(state.cursors) == dict(ledger.cursors):
            return
        if not memory.merged:
            strays = await link.backend.broker.stray_pods(keys)
            known = {pod.name for pod in memory.workers.pods}
            lost = tuple(PodFacts(name=name, ended=True, terminating=True) for name in sorted(strays - known))
            memory.workers = replace(memory.workers, pods=(*memory.workers.pods, *lost))
        books = await link.backend.broker.books(keys)
        memory.ledger = replace(
            ledger,
            cursors=MappingProxyType(dict(state.cursors)),
            returned=FrozenBitMap(books.returned) - ledger.ended,
            attempts=MappingProxyType(dict(books.attempts)),
        ).failed_with(Reason.LOST, POISON, _poison(books), time.time())
        memory.merged = True

    def _collect(self, memory: Memory) -> None:
        if memory.link is not None:
            memory.arrivals = _added(memory.arrivals, memory.link.subscription.take())


def _is_broken(memory: Memory) -> bool:
    link = memory.link
    return (
        link is None or memory.broker_fails or memory.link_trouble is not None or link.subscription.trouble is not None
    )


def _poison(books: BrokerBooks) -> Indexes:
    """Items that were dropped from the queue just before an operator died that had not saved it."""
    return FrozenBitMap(index for index, count in books.losses.items() if count > MAX_LOSSES)


def _gone(before: WorkerFacts, now: WorkerFacts) -> tuple[PodFacts, ...]:
    """Pods that vanished from the API: their unacknowledged items are still to be given back."""
    names = {pod.name for pod in now.pods}
    return tuple(
        replace(pod, ended=True, terminating=True, ready=False, trouble=None)
        for pod in before.pods
        if pod.name not in names
    )


def _without_settled(workers: WorkerFacts, broker: BrokerFacts) -> WorkerFacts:
    """A vanished pod without items needs no more attention; one that is listed shows up again anyway."""
    kept = tuple(pod for pod in workers.pods if not pod.ended or broker.unacked.get(pod.name, 1))
    return workers if len(kept) == len(workers.pods) else replace(workers, pods=kept)


def _added(kept: Arrivals, new: Delivered) -> Arrivals:
    if not new.succeeded and not new.failed:
        return kept
    return Arrivals(kept.succeeded | new.succeeded, (*kept.failed, *map(_failed, new.failed)))


def _failed(ended: Ended) -> FailedItem:
    if ended.kind == "FAILURE":
        return FailedItem(ended.index, ended.exception, ended.message)
    reason = Reason.EXPIRED if "expired" in ended.message.lower() else Reason.REVOKED
    return FailedItem(ended.index, reason, ended.message)
