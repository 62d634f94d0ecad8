"""What each action of a Plan does outside. All can be repeated: the scripts in Redis make a second time a no-op."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.api.signature import Leaf
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.keys import GroupKeys
from taskgroup.broker.port import Fence, Owner, Redispatch
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.cluster.errors import ForbiddenError, RefusedError
from taskgroup.connections.linking import Link
from taskgroup.core.groups import plan
from taskgroup.core.groups.observed import Observed, Trouble
from taskgroup.core.groups.recovery import MAX_LOSSES, POISON
from taskgroup.core.indexes import Indexes
from taskgroup.core.items.work import Work
from taskgroup.groups.memory import Memory
from taskgroup.groups.observe import keys_of
from taskgroup.groups.searching import start_search
from taskgroup.pools.early_acks import start_question
from taskgroup.pools.workers import Scaler

_SLICE = 1_000
"""Most messages in one script call."""
_SLICE_BYTES = 1024 * 1024
"""No more are added once a script call has that many bytes."""


class FencedError(Exception):
    """Redis is not as it was when the plan was made: look again."""


class Actions:
    """The actions on one group's queue and workers, for one plan."""

    def __init__(self, scaler: Scaler, memory: Memory, seen: Observed, cluster_id: str) -> None:
        self._owner = Owner(cluster_id, seen.meta.namespace, seen.meta.name)
        self._scaler = scaler
        self._memory = memory
        self._seen = seen
        self._templates: dict[str, MessageTemplate] = {}
        self._last: tuple[Leaf, MessageTemplate] | None = None
        self._doers: dict[type[plan.Action], Callable[[Any], Awaitable[None]]] = {
            plan.Open: self._open,
            plan.Dispatch: self._dispatch,
            plan.Redispatch: self._redispatch,
            plan.Withdraw: self._withdraw,
            plan.Renew: self._renew,
            plan.Requeue: self._requeue,
            plan.Search: self._search,
            plan.MarkMissing: self._mark_missing,
            plan.AskWorker: self._ask_worker,
            plan.ApplyWorkers: self._apply_workers,
            plan.MarkPods: self._mark_pods,
            plan.DeleteObject: self._delete_object,
        }

    async def perform(self, action: plan.Action) -> None:
        """FencedError, BrokerError or an error of the cluster when it could not be done."""
        await self._doers[type(action)](action)

    async def _open(self, _: plan.Open) -> None:
        ledger = self._memory.ledger
        seen = self._seen.broker.nonce if self._seen.broker else None
        state = await self._broker.open(
            self._keys,
            ledger.nonce,
            ledger.cursors,
            ledger.attempts,
            returned=ledger.returned,
            instead_of=seen if seen and seen != ledger.nonce else "",
            owner=self._owner,
        )
        self._memory.fence = state.fence

    async def _dispatch(self, action: plan.Dispatch) -> None:
        """Redis takes one slice while the next is made."""
        start, sending = action.start, None
        try:
            for part in self._slices(action.indexes):
                messages = [message for _, _, message in part]
                if sending is not None:
                    await sending
                sending = asyncio.create_task(self._send(action.priority, start, messages))
                await asyncio.sleep(0)
                start += len(messages)
        finally:
            if sending is not None:
                await sending

    async def _send(self, priority: int, start: int, messages: list[bytes]) -> None:
        if not await self._broker.dispatch(self._keys, self._fence(), priority, start, messages):
            raise FencedError
        self._memory.ledger = self._memory.ledger.advanced(priority, start + len(messages))

    async def _redispatch(self, action: plan.Redispatch) -> None:
        work = self._work()
        for part in self._slices(action.indexes):
            entries = [
                Redispatch(index, work.leaf(index).options.priority, message, number) for index, number, message in part
            ]
            sent = await self._broker.redispatch(self._keys, self._fence(), entries)
            self._memory.ledger = self._memory.ledger.redispatched(FrozenBitMap(sent))
            if len(sent) < len(part):
                raise FencedError

    async def _withdraw(self, action: plan.Withdraw) -> None:
        pods = [pod.name for pod in self._seen.workers.pods]
        taken = await self._broker.withdraw(self._keys, self._fence(), pods, running=action.running)
        if taken is None:
            raise FencedError
        self._memory.fence = taken.fence
        self._memory.ledger = self._memory.ledger.withdrawn(FrozenBitMap(taken.queued | taken.running))

    async def _renew(self, action: plan.Renew) -> None:
        attempts = await self._broker.renew(self._keys, self._fence(), action.indexes)
        if attempts is None:
            raise FencedError
        self._memory.ledger = self._memory.ledger.renewed(attempts)

    async def _requeue(self, action: plan.Requeue) -> None:
        moved = await self._broker.requeue(
            self._keys, action.pod, before=action.before, count_loss=action.count_loss, loss_limit=MAX_LOSSES
        )
        self._memory.requeued |= {f"{action.pod}/{action.restarts}"}
        poison = FrozenBitMap(moved.quarantined)
        self._memory.ledger = self._memory.ledger.failed_with(Reason.LOST, POISON, poison, time.time())

    async def _search(self, _: plan.Search) -> None:
        start_search(self._memory, self._seen, self._link, self._work())

    async def _mark_missing(self, action: plan.MarkMissing) -> None:
        if not await self._broker.mark_missing(self._keys, self._fence(), action.indexes):
            raise FencedError
        self._memory.ledger = self._memory.ledger.marked_missing(action.indexes)
        self._memory.suspicions = ()

    async def _ask_worker(self, action: plan.AskWorker) -> None:
        start_question(self._memory, self._seen, self._link, action.pod)

    async def _apply_workers(self, action: plan.ApplyWorkers) -> None:
        """A Deployment that the API refuses is a trouble of the group, not of the operator."""
        spec = self._seen.spec
        if spec is None or self._memory.link is None:
            # The end needs no Secret: without it workers can be stopped, though not described.
            return await self._scaler.stop(self._seen.meta) if action.replicas == 0 else None
        manifest = self._scaler.manifest(self._seen.meta, spec, self._work(), self._link, action.replicas)
        try:
            await self._scaler.apply(self._seen.meta, manifest)
            self._memory.refused = None
        except (RefusedError, ForbiddenError) as error:
            self._memory.refused = Trouble(Reason.WORKER_CANNOT_START, error.message)
        return None

    async def _mark_pods(self, action: plan.MarkPods) -> None:
        await self._scaler.mark(self._seen.meta, action.idle, action.busy)

    async def _delete_object(self, _: plan.DeleteObject) -> None:
        await self._scaler.delete_object(self._seen.meta)

    def _slices(self, indexes: Indexes) -> Iterator[list[tuple[int, int, bytes]]]:
        """Index, attempt and message of each item, in parts that are small enough to be in memory twice."""
        work, attempts = self._work(), self._memory.ledger.attempts
        part, size = [], 0
        for index in indexes:
            attempt, call = attempts.get(index, 0), work.call(index)
            message = self._template(call.leaf).render(index, attempt, call.args, call.kwargs)
            part.append((index, attempt, message))
            size += len(message)
            if len(part) >= _SLICE or size >= _SLICE_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _template(self, leaf: Leaf) -> MessageTemplate:
        """One template for all signatures that differ in their arguments alone."""
        # Most groups have one signature; telling what equals it costs more than filling a message.
        if self._last is not None and self._last[0] is leaf:
            return self._last[1]
        key = f"{leaf.task} {leaf.options!r}"
        found = self._templates.get(key)
        if found is None:
            found = self._templates[key] = MessageTemplate(leaf, self._keys)
        self._last = leaf, found
        return found

    @property
    def _link(self) -> Link:
        if self._memory.link is None:
            raise FencedError
        return self._memory.link

    @property
    def _broker(self) -> RedisBroker:
        return self._link.backend.broker

    @property
    def _keys(self) -> GroupKeys:
        return keys_of(self._seen.meta.uid, self._link)

    def _work(self) -> Work:
        if self._seen.work is None:
            raise FencedError
        return self._seen.work

    def _fence(self) -> Fence:
        if self._memory.fence is None:
            raise FencedError
        return self._memory.fence
