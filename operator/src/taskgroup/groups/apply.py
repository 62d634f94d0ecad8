"""A Plan carried out, in an order that survives a kill at any point: ledger, turn, actions, status, events."""

import time

from taskgroup.broker.keys import task_id
from taskgroup.cluster import ledger_store, status
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.events import post
from taskgroup.core.groups.observed import Arrivals, Meta, Observed
from taskgroup.core.groups.plan import Plan
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import encode
from taskgroup.core.status.conditions import told
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.groups.actions import Actions
from taskgroup.groups.memory import Memory
from taskgroup.pools.workers import Scaler

STATUS_SECONDS = 1.0
"""At most one status write of a group in this time."""
NEAR_END_SECONDS = 0.9
"""How long a status may wait for the one that tells the end: its counts are never two seconds behind."""
SAVE_BYTES_PER_SECOND = 65_536
SAVE_SECONDS = 1.0
"""Least time between two saves that nothing waits for."""


class Applier:
    """Carries out plans; the same one serves all groups."""

    def __init__(self, cluster: Cluster, scaler: Scaler, reporter: str, cluster_id: str) -> None:
        self._cluster = cluster
        self._cluster_id = cluster_id
        self._reporter = reporter
        self._scaler = scaler

    async def apply(self, plan: Plan, seen: Observed, memory: Memory) -> float:
        """Returns the seconds until the next look. A turn waits when the last status is too young."""
        left = memory.status_written + STATUS_SECONDS - time.monotonic()
        if plan.transition and left > 0:
            return left
        memory.ledger, memory.pace = plan.ledger, plan.pace
        memory.forget |= plan.forget
        memory.extra_events += plan.extra_events
        await self._save(plan, seen, memory)
        if plan.transition:
            await self._write(plan, seen.meta, memory)
        actions = Actions(self._scaler, memory, seen, self._cluster_id)
        for action in plan.actions:
            await actions.perform(action)
        if plan.consumed:
            memory.arrivals = Arrivals()
        self._follow(seen, memory)
        if plan.transition or (plan.status == memory.status and not memory.extra_events):
            return plan.wake_after
        left += NEAR_END_SECONDS if plan.near_end else 0.0
        if left <= 0:
            await self._write(plan, seen.meta, memory)
            return plan.wake_after
        return min(plan.wake_after, left)

    async def _save(self, plan: Plan, seen: Observed, memory: Memory) -> None:
        if memory.ledger == memory.saved and memory.ledger_version is not None:
            return await self._forget(seen, memory)
        if not memory.ledger.nonce or (not plan.save and time.monotonic() < memory.save_allowed):
            return None
        data = encode(memory.ledger)
        memory.ledger_version = await ledger_store.save(self._cluster, seen.meta, data, memory.ledger_version)
        memory.saved = memory.ledger
        memory.save_allowed = time.monotonic() + max(SAVE_SECONDS, len(data) / SAVE_BYTES_PER_SECOND)
        return await self._forget(seen, memory)

    async def _forget(self, seen: Observed, memory: Memory) -> None:
        """Values that nobody wants go once they are counted for good."""
        if not memory.forget or memory.link is None:
            return
        attempts = memory.ledger.attempts
        ids = [task_id(seen.meta.uid, index, attempts.get(index, 0)) for index in memory.forget]
        await memory.link.backend.results.delete(ids)
        memory.forget = NONE

    async def _write(self, plan: Plan, meta: Meta, memory: Memory) -> None:
        # An operator that was paused would else write what it last knew over what its successor has written.
        written = await status.write(self._cluster, meta, plan.status, memory.version)
        memory.version = written["metadata"]["resourceVersion"]
        memory.status = plan.status
        memory.status_written = time.monotonic()
        extra_events, memory.extra_events = memory.extra_events, ()
        for event in (*extra_events, *plan.events):
            await post(self._cluster, meta, event, self._reporter)

    async def tell(self, meta: Meta, memory: Memory, message: str) -> None:
        """Show in the Ready condition why the operator itself cannot go on."""
        conditions = told(memory.status.conditions or (), message, meta.generation, time.time())
        shown = memory.status.model_copy(update={"conditions": conditions})
        if shown != memory.status and memory.status_written + STATUS_SECONDS <= time.monotonic():
            written = await status.write(self._cluster, meta, shown, memory.version)
            memory.version = written["metadata"]["resourceVersion"]
            memory.status, memory.status_written = shown, time.monotonic()

    def _follow(self, seen: Observed, memory: Memory) -> None:
        if memory.link is None:
            return
        memory.link.subscription.follow(_in_flight(seen, memory), memory.ledger.attempts)


def _in_flight(seen: Observed, memory: Memory) -> Indexes:
    if seen.work is None or phase_of(memory.status) is not Phase.RUNNING:
        return NONE
    return memory.ledger.in_flight(seen.work.lanes)
