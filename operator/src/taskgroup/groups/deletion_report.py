"""Says in the status of a TaskGroup that is being deleted what its deletion waits for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from taskgroup.api.names import Reason
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.port import GroupStore
from taskgroup.core.meta import Meta
from taskgroup.core.status.conditions import fails, with_ready
from taskgroup.loops.clock import Clock
from taskgroup.transport.errors import BrokerError

_NAMES = 3
"""Pods that a message names at most."""
_WRITE_SECONDS = 5.0
"""A report that takes longer is left out: nothing of the cleanup may depend on it."""


class DeletionReport:
    """What one deletion waits for; the same text is written once."""

    def __init__(self, store: GroupStore, clock: Clock, log: logging.Logger, meta: Meta) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._meta = meta
        self._said = ""

    async def waits_for_pods(self, names: Sequence[str], seconds: float) -> None:
        """These worker pods have not stopped; they are waited for at most so long."""
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        pods = "1 worker pod" if len(names) == 1 else f"{len(names)} worker pods"
        await self._say(f"Waiting for {pods} to stop: {', '.join(names[:_NAMES])}{more} (up to {seconds:g} s).")

    def telling(self, act: Callable[[], Awaitable[None]], seconds: float) -> Callable[[], Awaitable[None]]:
        """The same, but what the broker refuses is said before it is raised."""

        async def told() -> None:
            try:
                await act()
            except BrokerError as error:
                await self._say(f"Waiting for Redis, to remove the group's keys (up to {seconds:g} s): {error}")
                raise

        return told

    async def _say(self, message: str) -> None:
        if message == self._said:
            return
        self._said = message
        self._log.info("%s: deletion: %s", self._meta, message)
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._write(message)
        except (ApiError, TimeoutError) as error:
            self._log.debug("%s: what its deletion waits for was not written: %s", self._meta, error)

    async def _write(self, message: str) -> None:
        stored = await self._store.read_status(self._meta)
        conditions = with_ready(
            stored.status.conditions or (), fails(Reason.DELETING, message), self._meta.generation, self._clock.now()
        )
        await self._store.write_status(
            self._meta, stored.status.model_copy(update={"conditions": conditions}), stored.version
        )
