"""One TaskGroup whose loops, Redis and workers are real; only the API server is in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from support.celery_worker import CeleryWorker
from support.memory.kubernetes import MemoryGroupStore
from support.redis_server import RedisServer
from support.wait import eventually_async
from support.worker_container import start_container
from support.world_operator import Operator
from taskgroup.api.names import FINALIZER, ConditionType
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.connections.shared import open_redis
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.status.conditions import is_true
from taskgroup.local.workers import LocalWorkers
from taskgroup.loops.clock import SystemClock

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
Change = Callable[..., None]
Restart = Callable[[], Awaitable[None]]


class LiveGroup:
    """What a test sees of it."""

    def __init__(
        self,
        store: MemoryGroupStore,
        workers: LocalWorkers,
        runs: Path,
        change: Change,
        started: list[CeleryWorker],
        restart: Restart,
    ) -> None:
        self._store = store
        self.workers = workers
        self._runs = runs
        self.change = change
        """Gives the spec these fields."""
        self.restart = restart
        """Ends the operator, and starts another one."""
        self._started = started

    @property
    def status(self) -> TaskGroupStatus:
        """As last written."""
        return self._store.status

    @property
    def runs(self) -> list[list[str]]:
        """Every run of a task, as its words were written down."""
        return [line.split() for line in self._runs.read_text().splitlines()] if self._runs.exists() else []

    def kill_workers(self) -> None:
        """All of them end at once, and are started again."""
        for worker in self._started:
            worker.kill()

    @property
    def is_finished(self) -> bool:
        """Whether the outcome is in the status."""
        return is_true(self.status, ConditionType.FINISHED)

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def state(self) -> str:
        """For the message of a test that waits in vain."""
        logs = [f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self._runs.parent.glob("*.log"))]
        return "\n".join([str(self.status), str(self.runs), *logs])

    async def finished(self) -> None:
        """Wait for the end."""
        await self.until(lambda: self.is_finished)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true."""

        async def check() -> bool:
            return holds()

        await eventually_async(check, state=self.state)


class _Life:
    """One operator: its two loops, until it is told to end."""

    def __init__(self, operator: Operator, body: dict[str, Any]) -> None:
        self.meeting = operator.meeting
        self._is_over = asyncio.Event()
        self._loops = [
            asyncio.create_task(operator.groups.run(body, self._is_over.is_set)),
            asyncio.create_task(operator.pools.run(UID, self._is_over.is_set)),
        ]

    async def end(self) -> None:
        """The loops end by themselves: redis-py may lose a cancellation (see Sweeper.run)."""
        self._is_over.set()
        self.meeting.group.wake()
        self.meeting.pool.wake()
        await asyncio.gather(*self._loops)


@asynccontextmanager
async def live_group(
    spec: TaskGroupSpec, redis: RedisServer, folder: Path, version: str | None = None
) -> AsyncIterator[LiveGroup]:
    """The group's and its pool's loops run until the block ends. Workers have this Celery, or that of the tests."""
    metadata: dict[str, Any] = {
        "uid": UID,
        "name": "live",
        "namespace": "shop",
        "finalizers": [FINALIZER],
        "generation": 1,
        "resourceVersion": "1",
    }
    body: dict[str, Any] = {"metadata": metadata, "spec": spec.dump()}

    async def read_url(namespace: str, reference: SecretKeyRef) -> str:
        del namespace, reference
        return redis.url

    store = MemoryGroupStore()
    runs = folder / "runs"
    started = list[CeleryWorker]()

    def start(pool: PoolSpec, pod: str) -> CeleryWorker:
        worker = start_container(redis.url, folder, pool, pod=pod, version=version, variables={"RUNS_FILE": str(runs)})
        started.append(worker)
        return worker

    def change(**fields: Any) -> None:
        metadata["generation"] += 1
        body["spec"] = body["spec"] | fields
        life.meeting.group.wake()

    def begin() -> _Life:
        metadata["resourceVersion"] = store.version
        body["status"] = store.status.dump()
        return _Life(Operator(UID, store, workers, None, SystemClock(), open_redis, read_url), body)

    workers = LocalWorkers(start, lambda: life.meeting.change_workers())
    life = begin()

    async def restart() -> None:
        nonlocal life
        await life.end()
        life = begin()

    kubelet = asyncio.create_task(workers.kubelet())
    try:
        yield LiveGroup(store, workers, runs, change, started, restart)
    finally:
        await life.end()
        kubelet.cancel()
        with suppress(asyncio.CancelledError):
            await kubelet
