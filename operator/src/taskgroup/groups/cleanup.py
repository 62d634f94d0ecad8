"""The end of an object: dispatch stops, then the workers, then the keys, because a stopping worker re-queues."""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from taskgroup.api.names import LABEL_UID
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import GroupKeys, task_id
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.connections.linking import Link, Linker, LinkError
from taskgroup.core.groups.observed import Meta
from taskgroup.groups.observe import keys_of, read_meta
from taskgroup.loops.wakeups import Wakeups
from taskgroup.pools.workers import Scaler
from taskgroup.transport.errors import BrokerError

WORKERS_SECONDS = 60.0
"""How long stopping workers are waited for; what they put back later is without effect."""
BROKER_SECONDS = 30.0
"""How long an unreachable broker may hold up the deletion."""
_POLL_SECONDS = 0.5
_CHUNK = 10_000
_MAX_RESULTS = 20_000_000
"""Twice the largest group: no group has more attempts worth a search."""


class Cleaner:
    """Removes everything that a group left outside its own object; doing it twice changes nothing."""

    def __init__(self, cluster: Cluster, linker: Linker, scaler: Scaler, wakeups: Wakeups, log: logging.Logger) -> None:
        self._cluster = cluster
        self._linker = linker
        self._scaler = scaler
        self._wakeups = wakeups
        self._log = log

    async def clean(self, body: Mapping[str, Any]) -> None:
        """ApiError when the cluster cannot be asked; the broker's troubles end in a warning."""
        meta = read_meta(body)
        link = await self._link(meta, body)
        answers = link is not None and await self._try(meta, lambda: self._stop(meta, link))
        pods = await self._stop_workers(meta)
        if link is not None:
            if answers:
                await self._try(meta, lambda: self.erase(meta, link, pods))
            await self._linker.unlink(meta.uid, link)

    def forget(self, uid: str) -> None:
        """The object is gone. Not before: where a namespace ends, kopf may ask for the cleanup twice."""
        self._linker.forget(uid)
        self._scaler.forget(uid)
        self._wakeups.drop(uid)

    async def _link(self, meta: Meta, body: Mapping[str, Any]) -> Link | None:
        try:
            spec = TaskGroupSpec.model_validate(dict(body["spec"]))
            return await self._linker.link_for_cleanup(meta, spec)
        except (ValueError, LinkError, ApiError) as error:
            self._log.warning("%s/%s: its keys in Redis stay behind: %s", meta.namespace, meta.name, error)
            return None

    async def _stop(self, meta: Meta, link: Link) -> None:
        keys, broker = keys_of(meta.uid, link), link.backend.broker
        facts = await broker.observe(keys, [])
        if facts.state is not None:
            pods = sorted(await broker.stray_pods(keys))
            await broker.withdraw(keys, facts.state.fence, pods, running=True)

    async def _stop_workers(self, meta: Meta) -> list[str]:
        """Returns the names of the pods that there were."""
        selector, deadline = f"{LABEL_UID}={meta.uid}", time.monotonic() + WORKERS_SECONDS
        for found in await self._cluster.list_all(DEPLOYMENTS, meta.namespace, labels=selector):
            name = found["metadata"]["name"]
            await self._cluster.delete(DEPLOYMENTS, meta.namespace, name, uid=found["metadata"]["uid"])
        seen: set[str] = set()
        while pods := await self._cluster.list_all(PODS, meta.namespace, labels=selector):
            seen |= {pod["metadata"]["name"] for pod in pods}
            if time.monotonic() > deadline:
                text = "%s/%s: %d worker pods have not ended after %d s and are left to Kubernetes."
                self._log.warning(text, meta.namespace, meta.name, len(pods), WORKERS_SECONDS)
                break
            await asyncio.sleep(_POLL_SECONDS)
        return sorted(seen)

    async def erase(self, meta: Meta, link: Link, pods: list[str]) -> None:
        """The group's keys and results; BrokerError when Redis cannot be used."""
        keys, broker = keys_of(meta.uid, link), link.backend.broker
        facts = await broker.observe(keys, [])
        if facts.state is not None and not facts.state.deleted:
            dispatched = sum(facts.state.cursors.values())
            await self._delete_results(meta, link, keys, dispatched)
        strays = await broker.stray_pods(keys)
        await broker.erase(keys, sorted({*pods, *strays}), tombstone=True)

    async def _delete_results(self, meta: Meta, link: Link, keys: GroupKeys, dispatched: int) -> None:
        """Every value that any attempt of any item may have left; indexes above the cursors never ran."""
        books = await link.backend.broker.books(keys)
        highest = max((dispatched, *(index + 1 for index in books.attempts)))
        first = (task_id(meta.uid, index, 0) for index in range(highest))
        later = (task_id(meta.uid, index, n + 1) for index, last in books.attempts.items() for n in range(last))
        # The numbers come from Redis, where tenants can write.
        ids = itertools.islice(itertools.chain(first, later), _MAX_RESULTS)
        while chunk := list(itertools.islice(ids, _CHUNK)):
            await link.backend.results.delete(chunk)

    async def _try(self, meta: Meta, act: Callable[[], Awaitable[None]]) -> bool:
        """A broker that is away may come back, but nobody's deletion waits for ever: False when it did not."""
        deadline = time.monotonic() + BROKER_SECONDS
        while True:
            try:
                await act()
                return True
            except BrokerError as error:
                if time.monotonic() > deadline:
                    self._log.warning("%s/%s: its keys in Redis stay behind: %s", meta.namespace, meta.name, error)
                    return False
                await asyncio.sleep(_POLL_SECONDS)
