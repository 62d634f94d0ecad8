"""Redis clients with one connection pool per URL, and the Lua scripts that they run.

redis-py's retries are off: a command without a response must raise an error, because only the caller can find out
whether the command was executed.
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
_MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""Twice the bytes of a group's largest window."""


class _BoundedParser(DefaultParser):  # type: ignore[misc, valid-type]
    """Limits the bytes of one response: redis-py has no limit, and the server may belong to any tenant."""

    _size = 0

    async def read_from_socket(self) -> bool:
        """Read once. Raises ConnectionError at the end of the stream, InvalidResponse when the response is too long."""
        data = await self._stream.read(self._read_size)
        if not data:
            raise RedisConnectionError("Connection closed by server.")
        self._size += len(data)
        if self._size > _MAX_RESPONSE_BYTES:
            raise InvalidResponse("the response is too long")
        self._reader.feed(data)
        return True

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read one response."""
        self._size = 0
        return await super().read_response(*args, **kwargs)


def redis_client(url: str, options: TransportOptions) -> Redis:
    """Return a client that uses RESP2 and returns bytes. Raises ValueError with a sentence for an invalid URL."""
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
    """A client, and the scripts in the folder `lua` of a package. Failures are raised as BrokerError."""

    def __init__(self, url: str, options: TransportOptions, package: str) -> None:
        self.address = parse(url).address
        self.client = redis_client(url, options)
        self._folder = files(package) / "lua"
        self._digests: dict[str, str] = {}

    async def ping(self) -> None:
        """Raise BrokerError unless the server responds and accepts the credentials."""
        with broker_errors(self.address):
            await self.client.ping()

    async def close(self) -> None:
        """Close all connections. The object cannot be used afterwards."""
        await self.client.aclose()

    async def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script, atomically, and return its response as redis-py decodes it (bytes, int, list or None)."""
        return (await self.run_each(script, [(keys, args)]))[0]

    async def run_each(self, script: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Run a script once for each pair of keys and arguments, in one round trip. Returns the responses in order."""
        with broker_errors(self.address):
            digest = self._digests.get(script) or await self._load(script)
            try:
                return await self._send(digest, calls)
            except NoScriptError:
                # A restarted server has no scripts. It checks this before it runs one, so nothing was executed.
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
            # With raise_on_error the error's text would contain the command's arguments.
            responses: list[Any] = await pipe.execute(raise_on_error=False)
        for response in responses:
            if isinstance(response, Exception):
                raise response
        return responses


def literal(text: str) -> str:
    """`text` in a pattern of SCAN, standing for itself."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
