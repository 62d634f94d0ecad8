"""One TaskGroup, run on this machine to its end, or until its owner interrupts it."""

import asyncio
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from taskgroup.api.names import FINALIZER, ConditionType, State
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.status.conditions import is_true
from taskgroup.local.checking import Checked
from taskgroup.local.errors import LocalError
from taskgroup.local.operator import LocalOperator
from taskgroup.local.outcomes import write_results
from taskgroup.local.progress import Progress
from taskgroup.local.redis_server import Broker
from taskgroup.local.store import FIRST_VERSION, LocalStore
from taskgroup.local.worker_process import Starter
from taskgroup.local.workers import LocalWorkers
from taskgroup.loops.meeting import Meetings

MOST_STARTS = 3
"""A worker that was not ready after so many starts will not be."""
_POLL_SECONDS = 0.1
_CLEAN_SECONDS = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """The loops, the workers and the store of one run."""

    def __init__(self, checked: Checked, app: str, broker: Broker, starter: Starter, progress: Progress) -> None:
        """`app` is used instead of the manifest's."""
        self._work = checked.work
        self._app = app
        self._broker = broker
        self._progress = progress
        self._body = body_of(checked, app)
        self._uid: str = self._body["metadata"]["uid"]
        meetings = Meetings()
        self._meeting = meetings.of(self._uid)
        self.status = TaskGroupStatus()
        """As last written while the group ran."""
        self._store = LocalStore(self._show, progress.tell)
        self._workers = LocalWorkers(starter.start, self._meeting.change_workers)
        self._operator = LocalOperator(self._body, broker.url, self._store, meetings, checked.source)
        self._interrupts = 0
        self._is_cleaning = False

    @property
    def is_finished(self) -> bool:
        """Whether the group has ended, either way."""
        return is_true(self.status, ConditionType.FINISHED)

    async def run(self, results: Path | None, *, clean: bool) -> None:
        """Until the end. `results` gets what the items returned; `clean` removes the group's keys from Redis.

        LocalError when no worker starts, or the broker has ended. Whatever happens, every process that was started
        here has ended afterwards.
        """
        with self._interruptible():
            kubelet = asyncio.create_task(self._workers.kubelet())
            loops = asyncio.create_task(self._operator.run(self._workers))
            try:
                await self._until_over(kubelet, loops)
                if results is not None:
                    await self._write(results)
            finally:
                kubelet.cancel()
                with suppress(asyncio.CancelledError):
                    await kubelet
                self._operator.stop()
                await loops
                if clean:
                    await self._clean()
                await self._operator.close()

    async def _clean(self) -> None:
        """The outcome stays as it is; a Redis that does not answer keeps nobody waiting."""
        self._is_cleaning = True
        try:
            async with asyncio.timeout(_CLEAN_SECONDS):
                await self._operator.clean()
        except TimeoutError:
            self._progress.say(f"Redis did not answer: keys of {self._uid} may have stayed there.")

    async def _until_over(self, *tasks: "asyncio.Task[None]") -> None:
        while not self._is_over():
            for task in tasks:
                if task.done():
                    await task
                    raise RuntimeError("a loop has ended before its group")
            self._broker.check()
            if self._workers.failed_starts >= MOST_STARTS:
                raise LocalError(
                    f"The worker of app {self._app} ended {MOST_STARTS} times before it was ready:"
                    f" {self._workers.last_words} Correct the app; --worker-log FILE keeps all that it says."
                )
            await asyncio.sleep(_POLL_SECONDS)

    def _is_over(self) -> bool:
        if self._interrupts > 1:
            return True
        is_paused = self._interrupts and self.status.state == State.SUSPENDED and not self.status.active
        return bool(self.is_finished or is_paused) and not self._workers.live

    async def _write(self, path: Path) -> None:
        connection = await self._operator.connection()
        await write_results(path, self._uid, self._work, self._store.ledger, connection.results)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

    def _show(self, status: TaskGroupStatus) -> None:
        if not self._is_cleaning:
            self.status = status
            self._progress.show(status)

    def _interrupt(self, number: int) -> None:
        """The first Ctrl-C suspends the group as a user of the cluster would; anything more ends the run."""
        self._interrupts += 1 if number == signal.SIGINT else 2
        if self._interrupts > 1:
            return
        self._progress.say("Interrupted: running items finish, no others are sent. Ctrl-C again ends at once.")
        self._body["spec"] = {**self._body["spec"], "suspend": True}
        self._body["metadata"] = {**self._body["metadata"], "generation": self._body["metadata"]["generation"] + 1}
        self._meeting.wake_both()


def body_of(checked: Checked, app: str) -> dict[str, Any]:
    """The object as the loops see it: one worker, the run's own broker, not suspended, and kept after its end."""
    spec = {name: value for name, value in checked.body["spec"].items() if name not in _NOT_HERE}
    spec["workers"] = {**spec["workers"], "app": app, "maxReplicas": 1}
    metadata = {
        "name": checked.name,
        "namespace": checked.body["metadata"].get("namespace") or "default",
        "uid": str(uuid.uuid4()),
        "generation": 1,
        "resourceVersion": FIRST_VERSION,
        "finalizers": [FINALIZER],
    }
    return {"metadata": metadata, "spec": spec}


_NOT_HERE = frozenset({"broker", "resultBackend", "suspend", "ttlSecondsAfterFinished"})
