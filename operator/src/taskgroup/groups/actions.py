"""What each action of a group's Plan does outside. All can be repeated: the broker makes a second time a no-op."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from pyroaring import FrozenBitMap

from taskgroup.broker.port import GroupBroker, Opening, Owner, Route, UnitMessage
from taskgroup.cluster.port import GroupStore
from taskgroup.connections.linking import Link
from taskgroup.core.action import Action
from taskgroup.core.groups import again, plan
from taskgroup.core.groups.observed import Fence, Observed
from taskgroup.core.items.work import Work
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units
from taskgroup.groups import searching
from taskgroup.groups.inline_pool import route_of
from taskgroup.groups.items_reading import ItemsReader
from taskgroup.groups.memory import Memory
from taskgroup.groups.messages import Messages
from taskgroup.groups.step_results import StepResults
from taskgroup.loops.action_log import log_action
from taskgroup.loops.clock import Clock
from taskgroup.loops.metrics import GroupMetrics, Move


class FencedError(Exception):
    """The broker is not as it was when the plan was made: look again."""


class Actions:
    """The actions on one group's queue, for one plan."""

    def __init__(
        self,
        store: GroupStore,
        memory: Memory,
        seen: Observed,
        clock: Clock,
        cluster_id: str,
        metrics: GroupMetrics,
        items: ItemsReader | None = None,
    ) -> None:
        self._items = items
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._memory = memory
        self._record = memory.record
        self._seen = seen
        self._owner = Owner(cluster_id, seen.meta.namespace, seen.meta.name)
        self._route: Route = route_of(seen.meta.uid)
        self._fence: Fence | None = seen.state.fence if seen.state else None
        self._methods: dict[type[Action], Callable[[Any], Awaitable[None]]] = {
            plan.Open: self._open,
            plan.ReadItems: self._read_items,
            plan.StopReading: self._stop_reading,
            plan.Dispatch: self._dispatch,
            plan.Skip: self._skip,
            plan.Release: self._release,
            plan.Redispatch: self._redispatch,
            plan.Withdraw: self._withdraw,
            plan.Stop: self._stop,
            plan.Renew: self._renew,
            plan.Retry: self._retry,
            plan.Again: self._again,
            plan.Search: self._search,
            plan.MarkMissing: self._mark_missing,
            plan.DeleteObject: self._delete_object,
        }

    async def perform(self, action: Action) -> None:
        """FencedError, BrokerError or an error of the cluster when it could not be done."""
        await self._methods[type(action)](action)
        log_action(self._seen.meta, action)

    async def _open(self, _: plan.Open) -> None:
        ledger, before = self._record.ledger, self._seen.state
        opening = Opening(
            nonce=ledger.nonce,
            cursors=ledger.cursors,
            attempts=ledger.attempts,
            returned=ledger.returned,
            instead_of=before.nonce if before and before.nonce != ledger.nonce else "",
            owner=self._owner,
        )
        self._fence = (await self._broker.open(self._route, opening)).fence

    async def _read_items(self, _: plan.ReadItems) -> None:
        if self._items is not None and self._seen.spec is not None:
            await self._items.start(self._link, self._seen.meta, self._seen.spec)

    async def _stop_reading(self, _: plan.StopReading) -> None:
        if self._items is not None:
            await self._items.stop(self._seen.meta)

    async def _dispatch(self, action: plan.Dispatch) -> None:
        """The broker takes one slice while the next is made."""
        start, sending = action.start, None
        try:
            for part in self._messages.slices(action.indexes, self._record.ledger.attempts):
                messages = [message for _, _, message in part]
                if sending is not None:
                    await sending
                indexes = FrozenBitMap(index for index, _, _ in part)
                sending = asyncio.create_task(self._send(action.priority, start, indexes, messages))
                await asyncio.sleep(0)
                start += len(messages)
        finally:
            if sending is not None:
                await sending

    async def _send(self, priority: int, start: int, indexes: FrozenBitMap, messages: list[bytes]) -> None:
        began = self._clock.monotonic()
        if not await self._broker.dispatch(self._route, self._fenced(), priority, start, messages):
            raise FencedError
        self._record.ledger = self._record.ledger.dispatched(priority, start + len(messages))
        self._record.dispatch_times.add(indexes, began)
        self._metrics.dispatched(sum(map(len, messages)), self._clock.monotonic() - began)
        self._metrics.moved(self._seen.meta, Move.DISPATCHED, len(messages))

    async def _skip(self, action: plan.Skip) -> None:
        uid, cursor = self._route.uid, action.start + len(action.indexes)
        if not await self._broker.skip(uid, self._fenced(), action.priority, action.start, action.indexes):
            raise FencedError
        self._record.ledger = self._record.ledger.skipped(action.priority, cursor, action.indexes)
        self._record.unsent |= action.indexes

    async def _release(self, action: plan.Release) -> None:
        if not await self._broker.release(self._route.uid, self._fenced(), action.units):
            raise FencedError
        self._record.ledger = self._record.ledger.released_with(action.units)
        self._record.unsent |= action.units

    async def _redispatch(self, action: plan.Redispatch) -> None:
        attempts = self._record.ledger.attempts
        record, backend = self._record, self._link.connection.results
        results = StepResults(backend, self._route.uid, self._work(), record.ledger, record.status)
        async for part in results.parts(action.units):
            for messages in self._messages.slices(part.units, attempts, results, part.results):
                await self._push(messages)
            left_out = {unit: results.unfit(unit, size) for unit, size in self._messages.left_out.items()}
            self._record.unsendable = {**self._record.unsendable, **part.unsendable, **left_out}

    async def _push(self, messages: list[tuple[int, int, bytes]]) -> None:
        work, ledger = self._work(), self._record.ledger
        entries = [
            UnitMessage(unit, work.leaf(unit).options.priority, message, attempt) for unit, attempt, message in messages
        ]
        began = self._clock.monotonic()
        pushed = FrozenBitMap(await self._broker.redispatch(self._route, self._fenced(), entries))
        self._record.ledger = ledger.redispatched(pushed)
        self._record.dispatch_times.add(pushed, began)
        self._measure_pushed(pushed)
        if len(pushed) < len(messages):
            raise FencedError

    def _measure_pushed(self, units: FrozenBitMap) -> None:
        """What waited for its turn or its time comes to the queue this way for the first time, too."""
        first = units.intersection_cardinality(self._record.unsent)
        self._record.unsent -= units
        for move, count in ((Move.DISPATCHED, first), (Move.REDISPATCHED, len(units) - first)):
            if count:
                self._metrics.moved(self._seen.meta, move, count)

    async def _withdraw(self, action: plan.Withdraw) -> None:
        pods = self._seen.view.pods if self._seen.view else ()
        withdrawn = await self._broker.withdraw(self._route, self._fenced(), pods, running=action.running)
        if withdrawn is None:
            raise FencedError
        self._fence = withdrawn.fence
        units = FrozenBitMap(withdrawn.queued | withdrawn.running)
        self._record.ledger = self._record.ledger.withdrawn(units)
        self._metrics.moved(self._seen.meta, Move.WITHDRAWN, len(units))

    async def _stop(self, _: plan.Stop) -> None:
        """The workers are told last: an operator that dies before that has only let them finish what nobody counts."""
        pods = self._seen.view.pods if self._seen.view else ()
        stopped = await self._broker.stop(self._route, self._fenced(), pods)
        if stopped is None:
            raise FencedError
        self._fence = stopped.fence
        before = self._record.ledger.attempts
        attempts = {unit: before.get(unit, 0) + 1 for unit in stopped.running}
        self._record.ledger = self._record.ledger.withdrawn(FrozenBitMap(stopped.queued)).renewed(attempts)
        self._metrics.moved(self._seen.meta, Move.WITHDRAWN, len(stopped.queued) + len(attempts))
        if attempts:
            ids = [task_id(self._route.uid, unit, attempt - 1) for unit, attempt in attempts.items()]
            await self._link.connection.inspection.revoke(pods, ids)

    async def _renew(self, action: plan.Renew) -> None:
        await self._make_new(action.units, Move.INTERRUPTED)

    async def _retry(self, action: plan.Retry) -> None:
        await self._make_new(action.units, Move.RETRIED)

    async def _make_new(self, units: Units, move: Move) -> None:
        attempts = await self._broker.renew(self._route.uid, self._fenced(), units)
        if attempts is None:
            raise FencedError
        self._record.ledger = self._record.ledger.renewed(attempts)
        self._metrics.moved(self._seen.meta, move, len(units))

    async def _again(self, action: plan.Again) -> None:
        attempts = await self._broker.renew(self._route.uid, self._fenced(), action.units, forgiven=True)
        if attempts is None:
            raise FencedError
        ledger = again.carried_out(self._record.ledger, action, self._clock.now())
        self._record.ledger = ledger.renewed(attempts)

    async def _search(self, _: plan.Search) -> None:
        searching.start(self._memory, self._seen, self._link, self._work(), self._clock.now())

    async def _mark_missing(self, action: plan.MarkMissing) -> None:
        if not await self._broker.mark_missing(self._route.uid, self._fenced(), action.units):
            raise FencedError
        self._record.ledger = self._record.ledger.marked_missing(action.units)
        self._metrics.moved(self._seen.meta, Move.MISSING, len(action.units))
        searching.reset(self._memory.searches)

    async def _delete_object(self, _: plan.DeleteObject) -> None:
        await self._store.delete(self._seen.meta)

    @cached_property
    def _messages(self) -> Messages:
        """One for all actions of the plan: a template is made once for each signature."""
        return Messages(self._broker, self._route, self._work())

    @property
    def _link(self) -> Link:
        if self._memory.intake.link is None:
            raise FencedError
        return self._memory.intake.link

    @property
    def _broker(self) -> GroupBroker:
        return self._link.connection.groups

    def _work(self) -> Work:
        if self._seen.work is None:
            raise FencedError
        return self._seen.work

    def _fenced(self) -> Fence:
        if self._fence is None:
            raise FencedError
        return self._fence
