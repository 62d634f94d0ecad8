"""Connections to brokers and result backends, shared by all groups and pools that use the same URLs and options."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

from taskgroup.api.backend import TransportOptions
from taskgroup.broker.port import GroupBroker, Inspection, PoolBroker
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.results.port import UNMEASURED, Results, SweepMetrics
from taskgroup.results.redis_results import RedisResults
from taskgroup.results.sweep import Sweeper
from taskgroup.transport.network import Network
from taskgroup.transport.tls import PLAIN, Certificates
from taskgroup.transport.url import parse


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages and results live. Holds credentials: never logged."""

    broker_url: str = field(repr=False)
    results_url: str = field(repr=False)
    broker_options: TransportOptions
    results_options: TransportOptions
    broker_certificates: Certificates = PLAIN
    results_certificates: Certificates = PLAIN

    @property
    def servers(self) -> frozenset[str]:
        """Both as host:port, as redis-py names them in its errors."""
        return _servers(self.broker_url, self.results_url)


@dataclass(slots=True)
class Connection:
    """What is open at one address."""

    groups: GroupBroker
    pools: PoolBroker
    inspection: Inspection
    results: Results
    sweeper: Sweeper
    close: Callable[[], Awaitable[None]]
    sweeping: "asyncio.Future[None]"
    """The running sweep."""
    users: set[str] = field(default_factory=set)


@lru_cache(maxsize=1024)
def _servers(*urls: str) -> frozenset[str]:
    targets = map(parse, urls)
    return frozenset(f"{target.host}:{target.port}" for target in targets)


class Connections:
    """Opens a connection for its first user and closes it after its last."""

    def __init__(self, opener: Callable[[Address], Connection]) -> None:
        """`opener` raises ValueError with a sentence when a URL cannot be used."""
        self._opener = opener
        self._open: dict[Address, Connection] = {}

    def use(self, address: Address, user: str) -> Connection:
        """The connection to this address; ValueError with a sentence when a URL cannot be used."""
        connection = self._open.get(address)
        if connection is None:
            connection = self._open[address] = self._opener(address)
        connection.users.add(user)
        return connection

    async def release(self, address: Address, user: str) -> None:
        """The user does not need it any more."""
        connection = self._open.get(address)
        if connection is None:
            return
        connection.sweeper.unsubscribe(user)
        connection.users.discard(user)
        if not connection.users:
            del self._open[address]
            await connection.close()

    def addresses(self) -> tuple[Address, ...]:
        """Of all that are open."""
        return tuple(self._open)

    def sweepers(self) -> tuple[Sweeper, ...]:
        """Of all that are open; for any thread."""
        return tuple(connection.sweeper for connection in list(self._open.values()))

    def check(self) -> int:
        """How many backends are swept; RuntimeError when a sweep has ended or hangs, which only a bug can cause."""
        for connection in self._open.values():
            if connection.sweeping.done():
                raise RuntimeError(f"the sweep of {connection.results.address} has ended")
            if connection.sweeper.hangs:
                raise RuntimeError(f"the sweep of {connection.results.address} hangs")
        return len(self._open)

    async def close(self) -> None:
        """The operator ends."""
        while self._open:
            _, connection = self._open.popitem()
            await connection.close()


def open_redis(address: Address, network: Network | None = None, metrics: SweepMetrics = UNMEASURED) -> Connection:
    """Both sides in Redis, with a sweep that runs; ValueError with a sentence when a URL cannot be used.

    Without `network` every server may be dialled.
    """
    broker = RedisBroker(address.broker_url, address.broker_options, network, address.broker_certificates)
    results = RedisResults(address.results_url, address.results_options, network, address.results_certificates)
    sweeper = Sweeper(results, metrics=metrics)
    sweeping = asyncio.create_task(sweeper.run())

    async def close() -> None:
        sweeping.cancel()
        await broker.close()
        await results.close()

    return Connection(broker.groups, broker.pools, broker.inspection, results, sweeper, close, sweeping)
