"""One operator leads, the others stand by; each ends within seconds of SIGTERM, with the Lease released."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from taskgroup.cluster.lease_thread import LeaseThread
from taskgroup.serve.health import Health, Role

END_SECONDS = 2.5
"""How long the loops may finish what they do once the process shall end; then they are cancelled. The Lease's release
takes a second at most, and all of it stays below five."""
_CANCEL_SECONDS = 0.3
_log = logging.getLogger("taskgroup")

Lead = Callable[["Leadership"], Awaitable[None]]
"""Works until `stop` is set."""


class Leadership:
    """The life of one operator process, as the Lease decides it and the probes show it."""

    def __init__(self, lease: LeaseThread) -> None:
        self.stop = asyncio.Event()
        self.serving = asyncio.Event()
        """Set by the leader once it handles TaskGroups."""
        self.checks: list[Callable[[], object]] = []
        """Each raises RuntimeError with a sentence when only a restart helps."""
        self.waits: list[Callable[[], str]] = []
        """Each says what a leader still waits for before it can do all of its work; empty when for nothing."""
        self._lease = lease
        self._keeping: asyncio.Task[None] | None = None
        self._lost = ""
        self.transitions = 0
        """How often this process began or ceased to lead."""

    async def run(self, lead: Lead) -> None:
        """Wait for the Lease, then `lead`, until `stop`. RuntimeError with a sentence when the Lease is lost."""
        async with self._lease:
            work = asyncio.create_task(self._work(lead))
            try:
                await self._until_ended(work)
            finally:
                if self._keeping:
                    await _cancelled(self._keeping)
                if not self._lost:
                    await self._lease.release()
        if self._lost:
            raise RuntimeError(self._lost)
        if work.done() and not work.cancelled():
            work.result()

    def release_now(self) -> None:
        """From any thread, when this one's event loop does not end in time; the process must end right after it."""
        self._lease.release_now()

    @property
    def leads(self) -> bool:
        """Whether this process does."""
        return self._keeping is not None and not self._lost

    def health(self) -> Health:
        """As it is at this moment."""
        role = Role.LEADER if self._keeping else Role.STANDBY
        return Health(role, broken=self._broken(), unready=self._unready())

    async def _work(self, lead: Lead) -> None:
        if not await self._lease.acquire(self.stop):
            return
        _log.info("This operator leads.")
        self.transitions += 1
        self._keeping = asyncio.create_task(self._lease.keep(self._lose))
        await lead(self)

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self.transitions += 1
        self.stop.set()

    async def _until_ended(self, work: "asyncio.Task[None]") -> None:
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        await _cancelled(stopping)
        done, _ = await asyncio.wait((work,), timeout=END_SECONDS)
        if not done:
            _log.warning("What was being done is broken off: it has not ended within %g s.", END_SECONDS)
            await _cancelled(work)

    def _broken(self) -> str:
        if self._lost:
            return self._lost
        if self._keeping and self._keeping.done() and not self.stop.is_set():
            return "The task that renews the Lease has ended."
        for check in self.checks:
            try:
                check()
            except RuntimeError as error:
                return str(error)
        return ""

    def _unready(self) -> str:
        if self.stop.is_set():
            return "The process is ending."
        if self._keeping:
            if not self.serving.is_set():
                return "The leader has not begun to handle TaskGroups."
            return next(filter(None, (wait() for wait in self.waits)), "")
        return self._lease.trouble


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await asyncio.wait((task,), timeout=_CANCEL_SECONDS)
