"""The Lease on a thread with an event loop and a connection of its own: no load of the operator delays its renewals.

A renewal must still prove that the operator works: it stops while the operator's own event loop gives no sign of life.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.lease import RELEASE_SECONDS, Lease

_CONNECTIONS = 1
_BEAT_SECONDS = 0.5
_JOIN_SECONDS = 2.0
_log = logging.getLogger(__name__)
T = TypeVar("T")


class LeaseThread:
    """A Lease as `Lease` has it, for the event loop in which this context manager is entered."""

    def __init__(self, kubeconfig: str | None, make: Callable[[Cluster], Lease], silent_seconds: float) -> None:
        """`make` gets the client of the thread. After `silent_seconds` without a turn of the caller's event loop the
        Lease is not renewed any more; such a silence is no loss while it is shorter.
        """
        self._kubeconfig = kubeconfig
        self._make = make
        self._silent_seconds = silent_seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lease", daemon=True)
        self._last_beat = time.monotonic()
        self._lease: Lease | None = None

    async def __aenter__(self) -> Self:
        self._thread.start()
        try:
            self._cluster = await self._on_thread(connect(self._kubeconfig, connections=_CONNECTIONS))
        except BaseException:
            self._end()
            raise
        self._lease = self._make(self._cluster)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._on_thread(self._cluster.close())
        finally:
            self._end()

    @property
    def trouble(self) -> str:
        """See Lease."""
        return self._lease.trouble if self._lease else "The thread of the Lease has not started."

    async def acquire(self, stop: asyncio.Event | None = None) -> bool:
        """See Lease; `stop` belongs to the caller's event loop."""
        stopped = asyncio.Event()
        telling = asyncio.create_task(self._tell(stop, stopped)) if stop else None
        try:
            return await self._on_thread(self._held().acquire(stopped))
        finally:
            if telling:
                telling.cancel()

    async def keep(self, lost: Callable[[str], None]) -> None:
        """See Lease; `lost` is called in the caller's event loop."""
        reasons: list[str] = []
        self._beat()
        beating = asyncio.create_task(self._go_on_beating())
        try:
            await self._on_thread(self._held().keep(reasons.append, self._is_silent))
        finally:
            beating.cancel()
        lost(reasons[0])

    async def release(self) -> None:
        """See Lease."""
        await self._on_thread(self._held().release())

    def release_now(self) -> None:
        """The same for a caller on any other thread, whatever the caller's event loop does."""
        if self._lease:
            asyncio.run_coroutine_threadsafe(self._lease.release(), self._loop).result(RELEASE_SECONDS)

    async def _on_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there; it is cancelled with its caller."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _held(self) -> Lease:
        assert self._lease is not None, "used outside of its context"
        return self._lease

    async def _tell(self, stop: asyncio.Event, stopped: asyncio.Event) -> None:
        """`stopped` belongs to the thread's event loop."""
        await stop.wait()
        self._loop.call_soon_threadsafe(stopped.set)

    async def _go_on_beating(self) -> None:
        while True:
            self._beat()
            await asyncio.sleep(_BEAT_SECONDS)

    def _beat(self) -> None:
        self._last_beat = time.monotonic()

    def _is_silent(self) -> str:
        """Why the Lease must not be renewed now; empty when it may."""
        seconds = time.monotonic() - self._last_beat
        return f"the operator has been held up for {seconds:.0f} s." if seconds > self._silent_seconds else ""

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            _log.warning("The thread of the Lease has not ended within %g s.", _JOIN_SECONDS)
            return
        self._loop.close()
