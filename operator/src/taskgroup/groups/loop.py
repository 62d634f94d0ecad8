"""The loop of one TaskGroup: look, decide, do, wait; level-triggered, so that any step may fail and is made up for."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster import ledger_store
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError, ConflictError, NotFoundError
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.connections.linking import Linker
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.ledger import Ledger, decode
from taskgroup.groups.actions import FencedError
from taskgroup.groups.apply import Applier
from taskgroup.groups.compiling import compile_beside
from taskgroup.groups.memory import Compiled, Memory
from taskgroup.groups.observe import Observer, read_meta
from taskgroup.loops.wakeups import Wakeups
from taskgroup.transport.errors import BrokerError

AGAIN_SECONDS = 0.1
"""After somebody else wrote first."""
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 30.0

Body = Mapping[str, Any]


class Loops:
    """Runs the loop of any group, from what all of them share."""

    def __init__(
        self,
        cluster: Cluster,
        linker: Linker,
        observer: Observer,
        applier: Applier,
        wakeups: Wakeups,
        log: logging.Logger,
    ) -> None:
        self._cluster = cluster
        self._linker = linker
        self._observer = observer
        self._applier = applier
        self._wakeups = wakeups
        self._log = log

    async def run(self, body: Body, is_stopped: Callable[[], bool]) -> None:
        """Until the object is being deleted or the operator ends; `body` is live."""
        uid = body["metadata"]["uid"]
        wakeup, state = self._wakeups.of(uid), _State()
        try:
            while not is_stopped() and "deletionTimestamp" not in body["metadata"]:
                wakeup.clear()
                # kopf's own patch comes first; everything outside waits for it.
                await wakeup.wait(await self._step(body, state) if read_meta(body).finalized else LAST_RETRY_SECONDS)
        finally:
            await self._detach(uid, state)

    async def _step(self, body: Body, state: "_State") -> float:
        """One turn, or what follows from its failure; returns the seconds until the next."""
        try:
            state.memory = state.memory or await self._attach(body, state)
            wait = await self._turn(state.memory, body)
            state.delay, state.again = FIRST_RETRY_SECONDS, AGAIN_SECONDS
        except (ConflictError, FencedError) as error:
            self._log.info("%s: looking again: %s", _name(body), str(error) or "the queue's state had changed")
            await self._detach(body["metadata"]["uid"], state)
            wait, state.again = state.again, min(state.again * 2, LAST_RETRY_SECONDS)
        except (ApiError, BrokerError) as error:
            self._log.warning("%s: %s", _name(body), error)
            await self._tell(body, state, error)
            wait, state.delay = state.delay, min(state.delay * 2, LAST_RETRY_SECONDS)
        return wait

    async def _tell(self, body: Body, state: "_State", error: Exception) -> None:
        """What the API server refuses again and again is shown in the Ready condition, if that much is allowed."""
        if state.memory is None or not isinstance(error, ApiError) or not error.status:
            return
        try:
            await self._applier.tell(read_meta(body), state.memory, error.message)
        except ApiError as second:
            self._log.warning("%s: %s", _name(body), second)

    async def _turn(self, memory: Memory, body: Body) -> float:
        wakeup = self._wakeups.of(body["metadata"]["uid"])
        seen = await self._observer.observe(memory, body, wakeup)
        plan = reconcile(seen, time.time())
        return await self._applier.apply(plan, seen, memory)

    async def _attach(self, body: Body, state: "_State") -> Memory:
        """Memory from what is written down: the object itself and the ledger. A spec has to be read only once."""
        meta = read_meta(body)
        live = await self._cluster.get(TASK_GROUPS, meta.namespace, meta.name)
        if live["metadata"]["uid"] != meta.uid:
            raise NotFoundError(f"{_name(body)} is another object now.")
        state.compiled = await compile_beside(state.compiled, meta, body["spec"])
        stored = await ledger_store.load(self._cluster, meta)
        ledger = self._decode(stored[0], body) if stored else Ledger()
        return Memory(
            status=TaskGroupStatus.model_validate(live.get("status") or {}),
            version=live["metadata"]["resourceVersion"],
            ledger=ledger,
            saved=ledger,
            ledger_version=stored[1] if stored else None,
            compiled=state.compiled,
        )

    def _decode(self, data: bytes, body: Body) -> Ledger:
        """A ledger that cannot be read is made again from Redis and the results."""
        try:
            return decode(data)
        except ValueError as error:
            self._log.error("%s: %s; starting from what Redis knows.", _name(body), error)
            return Ledger()

    async def _detach(self, uid: str, state: "_State") -> None:
        memory, state.memory = state.memory, None
        state.compiled = memory.compiled if memory is not None else state.compiled
        for task in (memory.search, memory.asking) if memory is not None else ():
            if task is not None:
                task.cancel()
        if memory is not None and memory.link is not None:
            await self._linker.unlink(uid, memory.link)


@dataclass(slots=True)
class _State:
    memory: Memory | None = None
    compiled: Compiled | None = None
    delay: float = FIRST_RETRY_SECONDS
    again: float = AGAIN_SECONDS


def _name(body: Body) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"
