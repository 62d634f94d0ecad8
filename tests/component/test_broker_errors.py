"""Everything that can be wrong with a Redis gives one sentence, the right reason, and never the password."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from support.redis_server import RedisServer, redis_server
from support.wait import eventually_async
from taskgroup.api.backend import TransportOptions
from taskgroup.api.names import Reason
from taskgroup.broker.keys import BookKeys
from taskgroup.broker.port import Opening, Route
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.groups.observed import Fence
from taskgroup.transport.errors import BrokerError

ROUTE = Route("u", "u")
STATE = BookKeys("", "u").state
FENCE = Fence("n", 1)


@pytest.fixture(scope="module")
def guarded() -> Iterator[RedisServer]:
    with redis_server(password="s3cr3t") as server:
        yield server


async def seen(url: str) -> BrokerError:
    """What a look says."""
    broker = RedisBroker(url)
    with pytest.raises(BrokerError) as looked:
        await broker.groups.observe(ROUTE, [])
    await broker.close()
    return looked.value


async def trouble(url: str, **options: int) -> BrokerError:
    """What a look and a script say; both must say the same."""
    broker = RedisBroker(url, TransportOptions(**options))
    with pytest.raises(BrokerError) as looked:
        await broker.groups.observe(ROUTE, [])
    with pytest.raises(BrokerError) as written:
        await broker.groups.dispatch(ROUTE, FENCE, 0, 0, [b"m"])
    await broker.close()
    assert looked.value.reason == written.value.reason
    assert "s3cr3t" not in f"{looked.value}{written.value}{looked.value.__context__!r}"
    return written.value


@pytest.mark.parametrize(
    ("credentials", "sentence"),
    [
        (":wr0ng-s3cr3t@", "refuses the credentials"),
        ("", "refuses the credentials"),
        ("shop:s3cr3t@", "refuses the cred"),
    ],
)
async def test_wrong_credentials(guarded: RedisServer, credentials: str, sentence: str) -> None:
    error = await trouble(f"redis://{credentials}127.0.0.1:{guarded.port}/0")

    assert error.reason == Reason.ACCESS_DENIED
    assert sentence in error.message
    assert f"redis://127.0.0.1:{guarded.port}/0" in error.message


async def test_a_password_where_none_is_needed(redis_url: str) -> None:
    error = await trouble(redis_url.replace("redis://", "redis://:s3cr3t@"))

    assert error.reason == Reason.ACCESS_DENIED
    assert "has no password" in error.message


async def test_a_user_without_rights(guarded: RedisServer) -> None:
    with guarded.client() as client:
        client.acl_setuser("narrow", enabled=True, passwords=["+s3cr3t"], commands=["+ping"], keys=["*"])
    error = await trouble(f"redis://narrow:s3cr3t@127.0.0.1:{guarded.port}/0")

    assert error.reason == Reason.ACCESS_DENIED
    assert "ACL" in error.message


async def test_nobody_listens() -> None:
    error = await trouble("redis://:s3cr3t@127.0.0.1:1/0")

    assert error.reason == Reason.UNREACHABLE
    assert "connection refused" in error.message


async def test_an_unknown_host() -> None:
    error = await trouble("redis://:s3cr3t@no-such-host.invalid:6379/0")

    assert error.reason == Reason.UNREACHABLE
    assert "no-such-host.invalid" in error.message


async def test_no_answer_in_time() -> None:
    with redis_server() as server:
        server.pause()
        error = await trouble(server.url, socket_timeout_seconds=1, socket_connect_timeout_seconds=1)

    assert error.reason == Reason.UNREACHABLE
    assert "in time" in error.message


async def test_a_database_that_does_not_exist(redis_url: str) -> None:
    error = await trouble(redis_url.replace("/0", "/9999"))

    assert "no database of that number" in error.message


async def test_tls_against_a_plain_server(redis_url: str) -> None:
    url = redis_url.replace("redis://", "rediss://")
    error = await trouble(url, socket_timeout_seconds=1, socket_connect_timeout_seconds=1)

    assert error.reason == Reason.UNREACHABLE
    assert "TLS" in error.message


async def test_a_server_that_is_no_redis() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        error = await trouble(f"redis://:s3cr3t@127.0.0.1:{server.sockets[0].getsockname()[1]}/0")

    assert error.reason == Reason.UNREACHABLE
    assert "protocol" in error.message


async def test_a_server_whose_answer_never_ends() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(1)
        writer.write(b"$500000000000\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent += 1_000_000
        writer.close()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        error = await seen(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")

    assert error.reason == Reason.UNREACHABLE
    assert sent < 100_000_000, "the operator stops to read"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cursor:x", b"1"),
        ("cursor:0", b"\xff"),
        ("cursor:0", b"9" * 40),
        ("cursor:0", b"-1"),
        ("cursor:99", b"1"),
        ("epoch", b"\xff"),
        ("epoch", b"9" * 5_000),
        ("nonce", b"n" * 500_000),
    ],
)
async def test_a_state_that_no_script_has_written(redis_url: str, field: str, value: bytes) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.hset(STATE, mapping={"nonce": "n", "epoch": 1, field: value})
    error = await seen(redis_url)

    assert "foreign value" in error.message


async def test_a_server_that_is_loading() -> None:
    plain = ("--rdbcompression", "no")
    with redis_server(persistent=True, arguments=plain) as server:
        with server.client() as client:
            client.mset({f"key-{number}": "x" * 1000 for number in range(3000)})
            client.bgrewriteaof()
            await eventually_async(lambda: _rewritten(client))
        server.stop()
        # A minute, of which the test needs a moment.
        server.arguments = (*plain, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
        server.start(answering=False)
        await eventually_async(lambda: _says(server.url, "loading"))
        server.kill()


async def test_a_replica_and_a_full_server() -> None:
    with redis_server() as server, server.client() as client:
        client.hset(STATE, mapping={"nonce": FENCE.nonce, "epoch": FENCE.epoch})
        client.config_set("maxmemory", "1")
        await eventually_async(lambda: _says(server.url, "out of memory"))
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", "1")
        await eventually_async(lambda: _says(server.url, "read-only replica"))


async def test_a_foreign_value_under_a_key(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(STATE, "s3cr3t")
    error = await trouble(redis_url)

    assert "foreign value" in error.message


async def test_a_broker_that_comes_back_is_used_again() -> None:
    with redis_server() as server:
        broker = RedisBroker(server.url)
        await broker.ping()
        server.kill()
        with pytest.raises(BrokerError):
            await broker.ping()
        server.start()
        await broker.ping()
        await broker.close()


async def test_a_cancelled_call_leaves_no_answer_behind_for_the_next(redis_url: str) -> None:
    broker = RedisBroker(redis_url)
    await broker.groups.open(ROUTE, Opening(nonce="n"))
    for _ in range(20):
        call = asyncio.create_task(broker.groups.present(ROUTE.pool, []))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        queue = await broker.groups.observe(ROUTE, [])
        assert queue.state
        assert queue.state.nonce == "n"
    await broker.close()


async def test_questions_to_workers_fail_with_the_same_sentences(guarded: RedisServer) -> None:
    for url, reason in (
        ("redis://:s3cr3t@127.0.0.1:1/0", Reason.UNREACHABLE),
        (guarded.url.replace("s3cr3t", "wrong"), Reason.ACCESS_DENIED),
    ):
        with pytest.raises(BrokerError) as caught:
            await RedisBroker(url).inspection.active_ids(["x"], 1.0)
        assert caught.value.reason == reason
        assert "s3cr3t" not in str(caught.value)


async def _says(url: str, words: str) -> bool:
    broker = RedisBroker(url)
    try:
        await broker.groups.dispatch(ROUTE, FENCE, 0, 0, [b"m"])
    except BrokerError as error:
        return words in error.message
    finally:
        await broker.close()
    return False


async def _rewritten(client: redis.Redis) -> bool:
    state: dict[str, object] = client.info("persistence")
    return not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]
