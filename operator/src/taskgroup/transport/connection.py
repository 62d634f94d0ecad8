"""One pool of connections per URL, and the Lua scripts that run over it.

Client retries are off: a command whose answer was lost must reach the caller as an error, because only the caller can
look whether it took effect.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError

from taskgroup.api.spec import TransportOptions
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.url import parse

_TIMEOUT_SECONDS = 5
_MAX_CONNECTIONS = 8
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Twice what a group's window can hold."""


class _BoundedParser(DefaultParser):  # type: ignore[misc, valid-type]
    """redis-py keeps an answer of any length in memory, and the server may be any tenant's."""

    _size = 0

    async def read_from_socket(self) -> bool:
        """ConnectionError at the end of the stream, InvalidResponse when the answer is too long."""
        data = await self._stream.read(self._read_size)
        if not data:
            raise RedisConnectionError("Connection closed by server.")
        self._size += len(data)
        if self._size > _MAX_ANSWER_BYTES:
            raise InvalidResponse("the answer is too long")
        self._reader.feed(data)
        return True

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """One answer."""
        self._size = 0
        return await super().read_response(*args, **kwargs)


def redis_client(url: str, options: TransportOptions) -> Redis:
    """A client that speaks RESP2 and returns bytes. Raises ValueError with a sentence for an URL that is none."""
    target = parse(url)
    pool = BlockingConnectionPool(
        max_connections=_MAX_CONNECTIONS,
        timeout=None,
        parser_class=_BoundedParser,
        connection_class=SSLConnection if target.scheme == "rediss" else Connection,
        host=target.host,
        port=target.port,
        db=target.database,
        username=target.username,
        password=target.password,
        socket_timeout=options.socket_timeout_seconds or _TIMEOUT_SECONDS,
        socket_connect_timeout=options.socket_connect_timeout_seconds or _TIMEOUT_SECONDS,
        socket_keepalive=options.socket_keepalive is not False,
        health_check_interval=options.health_check_interval_seconds or 0,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **target.tls,
    )
    return Redis.from_pool(pool)


class RedisConnection:
    """A Redis and the scripts in the folder `lua` of one package. Every failure is a BrokerError."""

    def __init__(self, url: str, options: TransportOptions, package: str) -> None:
        self.address = parse(url).address
        self.client = redis_client(url, options)
        self._folder = files(package) / "lua"
        self._digests: dict[str, str] = {}

    async def ping(self) -> None:
        """BrokerError unless the server answers and accepts the credentials."""
        with broker_errors(self.address):
            await self.client.ping()

    async def close(self) -> None:
        """Give all connections back; the object is of no use afterwards."""
        await self.client.aclose()

    async def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """One script, atomically; its answer as redis-py decodes it (bytes, int, list, None)."""
        return (await self.run_each(script, [(keys, args)]))[0]

    async def run_each(self, script: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """One script called several times, in one round trip."""
        with broker_errors(self.address):
            digest = self._digests.get(script) or await self._load(script)
            try:
                return await self._send(digest, calls)
            except NoScriptError:
                # A restarted server knows no scripts; the check comes before any effect, so nothing ran.
                return await self._send(await self._load(script), calls)

    async def _load(self, script: str) -> str:
        text = (self._folder / f"{script}.lua").read_text()
        digest = str(await self.client.script_load(text))
        self._digests[script] = digest
        return digest

    async def _send(self, digest: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipe:
            for keys, args in calls:
                pipe.evalsha(digest, len(keys), *keys, *args)
            # raise_on_error would put the command's arguments into the error's text.
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


def literal(text: str) -> str:
    """`text` in a pattern of SCAN, standing for itself."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
