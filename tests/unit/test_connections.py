"""Connections that several users share: opened for the first, closed after the last. Nothing here reaches a server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from pyroaring import FrozenBitMap

from taskgroup.api.backend import TransportOptions
from taskgroup.connections.shared import Address, Connection, Connections, open_redis
from taskgroup.results.sweep import HANG_SECONDS, Sweeper

URL = "redis://:s3cr3t@127.0.0.1:1/0"
ADDRESS = Address(URL, URL, TransportOptions(), TransportOptions())
OTHER = replace(ADDRESS, broker_options=TransportOptions(global_key_prefix="shop:"))


@dataclass(slots=True)
class Opener:
    """Opens Redis as the operator does, and notes what it opened and what was closed."""

    opened: list[Address] = field(default_factory=list)
    closed: list[Address] = field(default_factory=list)

    def __call__(self, address: Address) -> Connection:
        connection = open_redis(address)
        close = connection.close

        async def noted() -> None:
            self.closed.append(address)
            await close()

        connection.close = noted
        self.opened.append(address)
        return connection


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
async def connections(opener: Opener) -> AsyncIterator[Connections]:
    shared = Connections(opener)
    yield shared
    await shared.close()
    assert Counter(opener.closed) == Counter(opener.opened), "each is closed once"


async def test_the_first_user_opens_and_the_last_one_closes(connections: Connections, opener: Opener) -> None:
    connection = connections.use(ADDRESS, "u")
    assert connections.use(replace(ADDRESS), "v") is connection
    await connections.release(ADDRESS, "u")
    assert (opener.opened, opener.closed, connections.addresses()) == ([ADDRESS], [], (ADDRESS,))
    await connections.release(ADDRESS, "v")

    assert (opener.opened, opener.closed, connections.addresses()) == ([ADDRESS], [ADDRESS], ())
    await asyncio.wait([connection.sweeping])
    assert connection.sweeping.cancelled()


async def test_after_the_last_user_the_next_one_opens_anew(connections: Connections, opener: Opener) -> None:
    former = connections.use(ADDRESS, "u")
    await connections.release(ADDRESS, "u")

    assert connections.use(ADDRESS, "u") is not former
    assert opener.opened == [ADDRESS, ADDRESS]


async def test_a_group_and_its_pool_use_it_independently(connections: Connections, opener: Opener) -> None:
    for times, (first, last) in enumerate([("u", "u/pool"), ("u/pool", "u")]):
        assert connections.use(ADDRESS, "u") is connections.use(ADDRESS, "u/pool")
        await connections.release(ADDRESS, first)
        assert len(opener.closed) == times
        await connections.release(ADDRESS, last)
        assert len(opener.closed) == times + 1


async def test_one_user_counts_once_however_often_it_asks(connections: Connections, opener: Opener) -> None:
    connections.use(ADDRESS, "u")
    connections.use(ADDRESS, "u")
    await connections.release(ADDRESS, "u")

    assert opener.closed == [ADDRESS]


async def test_who_does_not_use_it_closes_nothing(connections: Connections, opener: Opener) -> None:
    connections.use(ADDRESS, "u")
    await connections.release(ADDRESS, "stranger")
    await connections.release(OTHER, "u")

    assert opener.closed == []
    assert connections.addresses() == (ADDRESS,)


async def test_other_options_are_another_connection(connections: Connections, opener: Opener) -> None:
    assert connections.use(ADDRESS, "u") is not connections.use(OTHER, "u")
    await connections.release(OTHER, "u")

    assert (opener.opened, opener.closed, connections.addresses()) == ([ADDRESS, OTHER], [OTHER], (ADDRESS,))


async def test_a_url_that_cannot_be_used_leaves_nothing_open(connections: Connections) -> None:
    with pytest.raises(ValueError, match="must begin with redis://"):
        connections.use(replace(ADDRESS, broker_url="amqp://host"), "u")

    assert connections.addresses() == ()


async def test_a_sweep_that_ended_is_a_bug_that_is_noticed(connections: Connections) -> None:
    connections.use(OTHER, "v")
    connection = connections.use(ADDRESS, "u")
    assert connections.check() == 2
    connection.sweeping.cancel()
    await asyncio.wait([connection.sweeping])

    with pytest.raises(RuntimeError, match=r"the sweep of redis://127\.0\.0\.1:1/0 has ended"):
        connections.check()


async def test_a_sweep_that_hangs_is_noticed_and_one_that_has_nothing_to_do_does_not_hang(
    connections: Connections,
) -> None:
    connection, seconds = connections.use(ADDRESS, "u"), [0.0]
    connection.sweeper = Sweeper(connection.results, clock=lambda: seconds[0])
    subscription = connection.sweeper.subscribe("u", lambda: None)
    seconds[0] = 10 * HANG_SECONDS
    assert connections.check() == 1

    subscription.follow(FrozenBitMap([1]), {})
    with pytest.raises(RuntimeError, match=r"the sweep of redis://127\.0\.0\.1:1/0 hangs"):
        connections.check()


def test_an_address_is_shown_without_its_urls() -> None:
    assert "s3cr3t" not in f"{ADDRESS}{ADDRESS!r}"
