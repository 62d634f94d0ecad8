"""Whatever a server answers to whichever command: BrokerError, in bounded time and memory, and nothing else."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.hostile.servers import answering, deaf, dripping, flooding, silent
from support.redis_wire import wire
from support.stream_server import Serve, stream_server
from support.wait import PATIENCE, eventually_async
from taskgroup.api.backend import TransportOptions
from taskgroup.broker.port import Opening, Route, UnitMessage
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.groups.observed import Fence
from taskgroup.core.indexes import NONE
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults
from taskgroup.transport.errors import BrokerError

ROUTE = Route("0e7e9d5c-6b5e-4a51-9d1f-0c4e8f8d5a11", "0e7e9d5c-6b5e-4a51-9d1f-0c4e8f8d5a11")
FENCE = Fence("n", 1)
IDS = [f"{ROUTE.uid}.{index}" for index in range(3)]
OPTIONS = TransportOptions(socket_timeout_seconds=1, socket_connect_timeout_seconds=1)
SECONDS = PATIENCE
"""The time limits of one second come to a few; an answer without a bound would take for ever."""

Method = Callable[[RedisBroker, RedisResults], Awaitable[Any]]

METHODS: dict[str, Method] = {
    "open": lambda broker, _: broker.groups.open(ROUTE, Opening(nonce="n")),
    "look": lambda broker, _: broker.groups.observe(ROUTE, ["pod"]),
    "books": lambda broker, _: broker.groups.books(ROUTE.uid, FrozenBitMap([unit_of(1, 2)])),
    "dispatch": lambda broker, _: broker.groups.dispatch(ROUTE, FENCE, 0, 0, [b"m"]),
    "redispatch": lambda broker, _: broker.groups.redispatch(ROUTE, FENCE, [UnitMessage(1, 0, b"m")]),
    "withdraw": lambda broker, _: broker.groups.withdraw(ROUTE, FENCE, ["pod"], running=True),
    "stop": lambda broker, _: broker.groups.stop(ROUTE, FENCE, ["pod"]),
    "renew": lambda broker, _: broker.groups.renew(ROUTE.uid, FENCE, [1, 2]),
    "release": lambda broker, _: broker.groups.release(ROUTE.uid, FENCE, FrozenBitMap([unit_of(1, 1)])),
    "mark_missing": lambda broker, _: broker.groups.mark_missing(ROUTE.uid, FENCE, [1]),
    "present": lambda broker, _: broker.groups.present(ROUTE.pool, ["pod"]),
    "erase": lambda broker, _: broker.groups.erase(ROUTE.uid, tombstone=True),
    "items": lambda broker, _: broker.groups.items_part(ROUTE.uid, None),
    "forget items": lambda broker, _: broker.groups.forget_items(ROUTE.uid),
    "owners": lambda broker, _: broker.groups.owners(),
    "pool look": lambda broker, _: broker.pools.observe(ROUTE.pool, ["pod"]),
    "requeue": lambda broker, _: broker.pools.requeue(
        ROUTE.pool, "pod", {ROUTE.uid: NONE}, before=None, count_loss=True, loss_limit=3, suspect_losses=0
    ),
    "unacked": lambda broker, _: broker.pools.unacked(ROUTE.pool, ["pod"]),
    "put back": lambda broker, _: broker.pools.put_back(ROUTE.pool, "pod", [ROUTE.uid], frozenset({"tag"})),
    "discard": lambda broker, _: broker.pools.discard(ROUTE.pool, "pod", frozenset({"tag"})),
    "claims": lambda broker, _: broker.inspection.claims(["pod"], 0.1),
    "strays": lambda broker, _: broker.pools.stray_pods(ROUTE.pool),
    "skip": lambda broker, _: broker.groups.skip(ROUTE.uid, FENCE, 0, 0, FrozenBitMap([0, 1])),
    "remember": lambda broker, _: broker.pools.remember_pods(ROUTE.pool, ["pod"]),
    "forget": lambda broker, _: broker.pools.forget_pods(ROUTE.pool, ["pod"]),
    "pods": lambda broker, _: broker.pools.unacked_pods(),
    "pool erase": lambda broker, _: broker.pools.erase(ROUTE.pool, ["pod"]),
    "revoke": lambda broker, _: broker.inspection.revoke(["pod"], ["id"]),
    "active": lambda broker, _: broker.inspection.active_ids(["pod"], 0.1),
    "ping": lambda _, results: results.ping(),
    "ended": lambda _, results: results.ended(IDS),
    "values": lambda _, results: results.values(IDS),
    "sizes": lambda _, results: results.sizes(IDS),
    "delete": lambda _, results: results.delete(IDS),
}


async def call(name: str, port: int) -> BrokerError | None:
    """What the method raises; anything but BrokerError passes, and more than SECONDS is a TimeoutError."""
    url = f"redis://127.0.0.1:{port}/0"
    broker, results = RedisBroker(url, OPTIONS), RedisResults(url, OPTIONS)
    raised: BrokerError | None = None
    try:
        async with asyncio.timeout(SECONDS):
            await METHODS[name](broker, results)
    except BrokerError as error:
        raised = error
    finally:
        await broker.close()
        await results.close()
    assert raised is None or len(raised.message) < 500
    return raised


def test_every_method_of_the_ports_is_here() -> None:
    broker = RedisBroker("redis://127.0.0.1:1/0")
    parts = (broker.groups, broker.pools, broker.inspection, RedisResults("redis://127.0.0.1:1/0"))
    methods = [
        name for part in parts for name in dir(part) if not name.startswith("_") and callable(getattr(part, name))
    ]
    local = {"template", "queue", "worker_options", "close"}

    assert len([name for name in methods if name not in local]) == len(METHODS)


HUGE = b"*1000000000\r\n"
MANY = b"*120000\r\n"
BEHAVIOURS: dict[str, Serve] = {
    "announces a thousand million elements": answering(HUGE),
    "announces as much as a number holds": answering(b"$9223372036854775807\r\n"),
    "sends empty arrays for ever": flooding(MANY, b"*0\r\n" * 10_000),
    "sends arrays in arrays": flooding(b"", b"*1\r\n" * 10_000),
    "sends bytes for ever": flooding(b"$500000000000\r\n", b"x" * 1_000_000),
    "sends a line for ever": flooding(b"+", b"x" * 1_000_000),
    "sends answers that nobody asked for": flooding(b"", b"+OK\r\n" * 10_000),
    "drips a text": dripping(b"$1000\r\n"),
    "drips a line": dripping(b"+"),
    "never answers": silent,
    "never reads": deaf,
    "says one to everything": answering(b":1\r\n" * 20),
    "says that the key is elsewhere": answering(b"-MOVED 1234 169.254.169.254:80\r\n" * 20),
    "asks to ask elsewhere": answering(b"-ASK 1234 127.0.0.1:22\r\n" * 20),
    "speaks another protocol": answering(b">3\r\n+moving\r\n:1\r\n$9\r\n127.0.0.1\r\n"),
    "knows no script": answering(b"-NOSCRIPT no\r\n" * 20),
    "ends at once": answering(b""),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_a_server_that_is_no_honest_redis_is_that_backends_trouble_only(behaviour: str) -> None:
    with stream_server(BEHAVIOURS[behaviour]) as port:
        outcomes = await asyncio.gather(*(call(name, port) for name in METHODS))
    # Some lies are answers that a Redis could give; a look at the books never is.
    assert outcomes[list(METHODS).index("books")] is not None


@pytest.mark.parametrize("behaviour", ["announces a thousand million elements", "sends empty arrays for ever"])
async def test_what_a_server_sends_does_not_become_much_more_in_memory(behaviour: str) -> None:
    with stream_server(BEHAVIOURS[behaviour]) as port:
        tracemalloc.start()
        await asyncio.gather(*(call("books", port) for _ in range(5)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 100_000_000


async def test_what_came_of_an_answer_is_dropped_with_its_connection() -> None:
    with stream_server(dripping(b"$1900000\r\n" + b"x" * 1_800_000)) as port:
        brokers = [RedisBroker(f"redis://127.0.0.1:{port}/0", OPTIONS) for _ in range(16)]
        tracemalloc.start()
        outcomes = await asyncio.gather(*(one.ping() for one in brokers), return_exceptions=True)
        # The server is in this process, too: it may still hold what it has not sent.
        await eventually_async(_little_is_held)
        tracemalloc.stop()
        await asyncio.gather(*(one.close() for one in brokers))

    assert all(isinstance(outcome, BrokerError) for outcome in outcomes)


async def _little_is_held() -> bool:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] < 8_000_000


_TEXTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"0",
            b"1",
            b"9" * 40,
            b"-1",
            b"cursor:1",
            b"epoch",
            b"nonce",
            b"n",
            b"owner",
            b"a" * 40,
            b"\xff",
            b"nan",
            b".",
        ]
    ),
    st.sampled_from([b"[" * 50_000, b'[{"headers":{"id":1},"properties":{"delivery_info":{}}}]', b'{"body":5}', b"[]"]),
)
_LINES = st.sampled_from(["+OK", "+QUEUED", "+PONG", "-ERR x", "-WRONGTYPE x", "-NOSCRIPT x", "-EXECABORT x", "*-1"])
_VALUES = st.recursive(
    st.one_of(st.none(), st.integers(-5, 5), st.just(10**18), _TEXTS, _LINES),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=12,
)


def _lying(seed: int, values: list[Any]) -> Serve:
    """Answers of Redis' own kinds, and others, in an order that the seed says."""
    choose = random.Random(seed)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            for _ in range(data.count(b"*")):
                writer.write(wire(choose.choice(values)))
            if b"EXEC" in data:
                writer.write(wire([choose.choice(values) for _ in range(data.count(b"*") - 2)]))
            await writer.drain()

    return behave


async def _lies(seed: int, values: list[Any]) -> None:
    with stream_server(_lying(seed, values)) as port:
        await asyncio.gather(*(call(name, port) for name in METHODS))


@pytest.mark.parametrize("value", [1, b"x", [], None, [[1], 2], 10**18, b"[" * 50_000])
async def test_the_same_answer_to_each_command_is_that_backends_trouble_only(value: Any) -> None:
    await _lies(0, [value])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.integers(), st.lists(_VALUES, min_size=1, max_size=8))
def test_lies_of_any_shape_are_that_backends_trouble_only(seed: int, values: list[Any]) -> None:
    asyncio.run(_lies(seed, values))


@pytest.mark.long
@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.integers(), st.lists(_VALUES, min_size=1, max_size=8))
def test_a_thousand_lies(seed: int, values: list[Any]) -> None:
    asyncio.run(_lies(seed, values))
