"""Keys in Redis whose TaskGroup is gone: the operator, or Redis, was away while the object was deleted.

Redis may serve several clusters, so only what this cluster's operator has marked as its own is looked at, and only what
the API server says is gone is removed.
"""

import asyncio
import logging

from taskgroup.broker.port import Owner
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import NAMESPACES, TASK_GROUPS
from taskgroup.connections.linking import Link, Linker, LinkError
from taskgroup.connections.shared import Address, Connection, Connections
from taskgroup.core.meta import Meta
from taskgroup.groups.cleanup import Cleaner
from taskgroup.loops.meeting import Meetings
from taskgroup.transport.errors import BrokerError

STRAYS_SECONDS = 3.0
"""After the start, and before any search for missing items has ended."""
FIRST_SECONDS = 30.0
"""After the start: most orphans are made while no operator runs."""
PERIOD_SECONDS = 600.0
ADDRESS_SECONDS = 120.0
"""For one Redis: the next ones are looked at whatever it answers."""
_USER = "orphans"


async def identity(cluster: Cluster) -> str:
    """What tells this cluster from all others: the uid of a namespace that is made once and never again."""
    return str((await cluster.get(NAMESPACES, "", "kube-system"))["metadata"]["uid"])


class Orphans:
    """Looks for them now and then, in every Redis that the operator knows."""

    def __init__(
        self,
        cluster: Cluster,
        linker: Linker,
        connections: Connections,
        cleaner: Cleaner,
        meetings: Meetings,
        cluster_id: str,
        watched: tuple[str, ...],
        log: logging.Logger,
    ) -> None:
        self._cluster = cluster
        self._linker = linker
        self._connections = connections
        self._cleaner = cleaner
        self._meetings = meetings
        self._cluster_id = cluster_id
        self._watched = watched
        self._log = log

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(STRAYS_SECONDS)
        await self.find_strays()
        wait = FIRST_SECONDS
        while True:
            await asyncio.sleep(wait)
            await self.sweep()
            wait = PERIOD_SECONDS

    async def find_strays(self) -> None:
        """One look for all pools together at every Redis in use."""
        for address in self._connections.addresses():
            connection = self._connections.use(address, _USER)
            try:
                async with asyncio.timeout(ADDRESS_SECONDS):
                    await self._remember_strays(connection)
            except (BrokerError, TimeoutError) as error:
                self._log.info("Messages of pods that went while no operator ran are looked for later: %s", error)
            finally:
                await self._connections.release(address, _USER)

    async def sweep(self) -> int:
        """One look at every Redis; returns how many groups' keys were removed. What cannot be looked at waits."""
        removed = 0
        for address in {*self._connections.addresses(), *await self._default()}:
            try:
                async with asyncio.timeout(ADDRESS_SECONDS):
                    removed += await self._sweep(address)
            except (ApiError, BrokerError, TimeoutError, ValueError) as error:
                self._log.info("Keys of deleted TaskGroups are looked for later: %s", error)
        return removed

    async def _default(self) -> tuple[Address, ...]:
        try:
            address = await self._linker.default_address()
        except (ApiError, LinkError) as error:
            self._log.info("Keys of deleted TaskGroups in the default broker are looked for later: %s", error)
            return ()
        return (address,) if address else ()

    async def _sweep(self, address: Address) -> int:
        connection, removed = self._connections.use(address, _USER), 0
        try:
            subscription = connection.sweeper.subscribe(_USER, lambda: None)
            await self._remember_strays(connection)
            owners = await connection.groups.owners()
            for uid, owner in owners.items():
                if not await self._is_gone(uid, owner):
                    continue
                meta = Meta(uid=uid, name=owner.name, namespace=owner.namespace, generation=0)
                removed += await self._erase(meta, Link(address, connection, subscription))
        finally:
            await self._connections.release(address, _USER)
        return removed

    async def _remember_strays(self, connection: Connection) -> None:
        """Pods that came, took messages and went while no operator ran: their pools know nothing of them."""
        for pool, pods in (await connection.pools.unacked_pods()).items():
            meeting = self._meetings.find(pool)
            if meeting is not None and await connection.pools.remember_pods(pool, pods):
                meeting.strays_changed = True
                meeting.pool.wake()

    async def _erase(self, meta: Meta, link: Link) -> bool:
        """One that cannot be read does not keep the others."""
        try:
            await self._cleaner.erase(meta, link, [])
        except Exception as error:  # noqa: BLE001 - tenants write into Redis: the keys of one may hold anything
            self._log.info("%s: its keys in Redis stay: %s", meta, error)
            return False
        self._log.info("%s: its keys in Redis are removed, because the object is gone.", meta)
        return True

    async def _is_gone(self, uid: str, owner: Owner) -> bool:
        if owner.cluster != self._cluster_id or (self._watched and owner.namespace not in self._watched):
            return False
        # A list, because "not found" is also what an API server says that does not serve the CRD at the moment.
        fields = f"metadata.name={owner.name}"
        groups = await self._cluster.list_all(TASK_GROUPS, owner.namespace, fields=fields)
        return uid not in {group["metadata"]["uid"] for group in groups}
