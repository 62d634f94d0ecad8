"""Connections to brokers and result backends, shared by all groups that use the same URL and options."""

import asyncio
from dataclasses import dataclass, field

from taskgroup.api.spec import TransportOptions
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.results.redis_results import RedisResults
from taskgroup.results.sweep import Sweeper


@dataclass(frozen=True, slots=True)
class Address:
    """Where a group's messages and results live. Holds credentials: never logged."""

    broker_url: str = field(repr=False)
    results_url: str = field(repr=False)
    broker_options: TransportOptions
    results_options: TransportOptions


@dataclass(slots=True)
class Backend:
    """Open connections of one address."""

    broker: RedisBroker
    results: RedisResults
    sweeper: Sweeper
    sweeping: asyncio.Task[None]
    users: set[str]


class Backends:
    """Opens a backend for its first user and closes it after its last."""

    def __init__(self) -> None:
        self._open: dict[Address, Backend] = {}

    def use(self, address: Address, uid: str) -> Backend:
        """The backend at this address; ValueError with a sentence when a URL cannot be used."""
        backend = self._open.get(address)
        if backend is None:
            backend = self._open[address] = _open(address)
        backend.users.add(uid)
        return backend

    async def release(self, address: Address, uid: str) -> None:
        """The group does not use it any more."""
        backend = self._open.get(address)
        if backend is None:
            return
        backend.sweeper.unsubscribe(uid)
        backend.users.discard(uid)
        if not backend.users:
            del self._open[address]
            await _close(backend)

    def addresses(self) -> tuple[Address, ...]:
        """Of all that are open."""
        return tuple(self._open)

    def check(self) -> int:
        """How many backends are swept; RuntimeError when a sweep has ended, which only a bug can cause."""
        for backend in self._open.values():
            if backend.sweeping.done():
                raise RuntimeError(f"the sweep of {backend.results.address} has ended")
        return len(self._open)

    async def close(self) -> None:
        """The operator ends."""
        while self._open:
            _, backend = self._open.popitem()
            await _close(backend)


def _open(address: Address) -> Backend:
    broker = RedisBroker(address.broker_url, address.broker_options)
    results = RedisResults(address.results_url, address.results_options)
    sweeper = Sweeper(results)
    return Backend(broker, results, sweeper, asyncio.create_task(sweeper.run()), set())


async def _close(backend: Backend) -> None:
    backend.sweeping.cancel()
    await backend.broker.close()
    await backend.results.close()
