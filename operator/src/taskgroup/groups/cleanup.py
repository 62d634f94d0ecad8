"""The end of an object: dispatch stops, then the workers, then the keys, because a stopping worker re-queues."""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.errors import ApiError
from taskgroup.connections.linking import Link, Linker, LinkError
from taskgroup.core.hooks import EVERY_STEP
from taskgroup.core.meta import Meta
from taskgroup.core.task_id import task_id
from taskgroup.core.units import STEP_SIZE
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.groups.inline_pool import route_of
from taskgroup.groups.observe import read_meta
from taskgroup.transport.errors import BrokerError

BROKER_SECONDS = 30.0
"""How long an unreachable broker may hold up the deletion."""
ERASE_SECONDS = 120.0
"""How long one that answers may: 10,000,000 results take half a minute."""
HURRIED_SECONDS = 3.0
"""The same in a namespace that goes: its own Redis goes with it."""
_POLL_SECONDS = 0.5
_CHUNK = 10_000
_MAX_RESULTS = 20_000_000
"""Twice the largest group: no group has more attempts worth a search."""


Waiting = Callable[[Sequence[str], float], Awaitable[None]]
"""Is told of the pods that have not stopped, and of the seconds after which they are left to Kubernetes."""
StopWorkers = Callable[[Meta, Waiting], Awaitable[list[str]]]
"""Stops all workers of a group, waits for them, and returns the names of the pods that there were."""

StopReading = Callable[[Meta], Awaitable[None]]
"""Removes the pod that reads the group's items."""
IsTerminating = Callable[[str], Awaitable[bool]]
"""Whether a namespace goes."""


class Cleaner:
    """Removes everything that a group left outside its own object; doing it twice changes nothing."""

    def __init__(
        self,
        linker: Linker,
        stop_workers: StopWorkers,
        is_terminating: IsTerminating,
        report: Callable[[Meta], DeletionReport],
        log: logging.Logger,
        stop_reading: StopReading | None = None,
    ) -> None:
        self._stop_reading = stop_reading
        self._linker = linker
        self._is_terminating = is_terminating
        self._stop_workers = stop_workers
        self._report = report
        self._log = log

    async def clean(self, body: Mapping[str, Any]) -> None:
        """ApiError when the cluster cannot be asked; the broker's troubles end in a warning."""
        meta = read_meta(body)
        link, report = await self._link(meta, body), self._report(meta)
        answers = link is not None and await self._try(
            meta, report.telling(lambda: self._stop(meta, link), BROKER_SECONDS), BROKER_SECONDS
        )
        if self._stop_reading is not None and _reads_items(body.get("spec")):
            # What it writes later than the erasure below would stay.
            await self._stop_reading(meta)
        pods = await self._stop_workers(meta, report.waits_for_pods)
        if link is not None:
            if answers:
                erase = report.telling(lambda: self.erase(meta, link, pods), ERASE_SECONDS)
                await self._try(meta, erase, ERASE_SECONDS)
            await self._linker.unlink(meta.uid, link)
        self._log.info("%s: deleted; %d worker pods had to stop.", meta, len(pods))

    def forget(self, uid: str) -> None:
        """The object is gone. Not before: where a namespace ends, kopf may ask for the cleanup twice."""
        self._linker.forget(uid)

    async def _link(self, meta: Meta, body: Mapping[str, Any]) -> Link | None:
        try:
            spec = TaskGroupSpec.model_validate(dict(body["spec"]))
            return await self._linker.link_for_cleanup(meta, spec)
        except (ValueError, LookupError, TypeError, LinkError, ApiError) as error:
            # The object may be of an older version of its definition, which let other types pass.
            self._log.warning("%s: its keys in Redis stay behind: %s", meta, error)
            return None

    async def _stop(self, meta: Meta, link: Link) -> None:
        route, groups = route_of(meta.uid), link.connection.groups
        queue = await groups.observe(route, [])
        if queue.state is not None:
            pods = sorted(await link.connection.pools.stray_pods(route.pool))
            await groups.withdraw(route, queue.state.fence, pods, running=True)

    async def erase(self, meta: Meta, link: Link, pods: list[str]) -> None:
        """The group's keys and results; BrokerError when Redis cannot be used."""
        route, connection = route_of(meta.uid), link.connection
        queue = await connection.groups.observe(route, [])
        if queue.state is not None and not queue.state.deleted:
            await self._delete_results(meta, link, sum(queue.state.cursors.values()))
        strays = await connection.pools.stray_pods(route.pool)
        # The books last: while they are there, a sweep for orphans would find the rest.
        await connection.pools.erase(route.pool, sorted({*pods, *strays}))
        await connection.groups.erase(meta.uid, tombstone=True)

    async def _delete_results(self, meta: Meta, link: Link, dispatched: int) -> None:
        """Every value that any attempt of any unit may have left; indexes above the cursors never ran."""
        books = await link.connection.groups.books(meta.uid, EVERY_STEP)
        highest = max((dispatched, *(unit + 1 for unit in books.attempts if unit < STEP_SIZE)))
        begun = itertools.chain(range(highest), books.released)
        first = (task_id(meta.uid, unit, 0) for unit in begun)
        later = (task_id(meta.uid, unit, n + 1) for unit, last in books.attempts.items() for n in range(last))
        # The numbers come from Redis, where tenants can write.
        ids = itertools.islice(itertools.chain(first, later), _MAX_RESULTS)
        while chunk := list(itertools.islice(ids, _CHUNK)):
            await link.connection.results.delete(chunk)

    async def _try(self, meta: Meta, act: Callable[[], Awaitable[None]], seconds: float) -> bool:
        """Nobody's deletion waits longer than `seconds`, whatever the broker does: False when it was not done."""
        is_hurried = await self._is_terminating(meta.namespace)
        patience = HURRIED_SECONDS if is_hurried else BROKER_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._until_done(act, patience)
            return True
        except TimeoutError:
            reason = f"it was not done within {seconds:g} s"
        except BrokerError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - whatever tenants wrote into Redis ends here, not in a retry for ever
            reason = f"what Redis holds of it cannot be read ({type(error).__name__}: {error})"
        self._log.warning("%s: its keys in Redis stay behind: %s", meta, reason)
        return False

    async def _until_done(self, act: Callable[[], Awaitable[None]], patience: float) -> None:
        """A broker that is away may come back."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return await act()
            except BrokerError:
                if time.monotonic() + _POLL_SECONDS > deadline:
                    raise
                await asyncio.sleep(_POLL_SECONDS)


def _reads_items(spec: object) -> bool:
    """The object may be of an older version of its definition, which let other types pass."""
    return isinstance(spec, Mapping) and bool(spec.get("itemsFrom"))
