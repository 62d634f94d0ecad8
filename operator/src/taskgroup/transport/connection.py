"""Redis clients with one connection pool per URL, and the Lua scripts that they run.

redis-py's retries are off: a command without a response must raise an error, because only the caller can find out
whether the command was executed.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import InvalidResponse, NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from taskgroup.api.backend import TransportOptions
from taskgroup.transport.bounded import BoundedConnection, BoundedPool, BoundedRedis
from taskgroup.transport.call_metrics import timed
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.network import Network
from taskgroup.transport.tls import PLAIN, Certificates, context
from taskgroup.transport.url import parse

_TIMEOUT_SECONDS = 5
_MAX_CONNECTIONS = 8
_SCAN_SECONDS = 30.0
_SCAN_STEP = 1000
_MOST_KEYS = 100_000
_DIGEST = re.compile(r"[0-9a-f]{40}")
_Shaped = TypeVar("_Shaped")


def redis_client(
    url: str, options: TransportOptions, network: Network, certificates: Certificates = PLAIN
) -> BoundedRedis:
    """Return a client that uses RESP2 and returns bytes.

    Raises ValueError with a sentence for an invalid URL or certificate.
    """
    target = parse(url)
    pool = BoundedPool(
        max_connections=_MAX_CONNECTIONS,
        timeout=None,
        connection_class=BoundedConnection,
        network=network,
        tls=context(target, certificates),
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
        driver_info=None,
    )
    return BoundedRedis(pool)


class RedisConnection:
    """A client, and the scripts in the folder `lua` of a package. Failures are raised as BrokerError."""

    def __init__(
        self,
        url: str,
        options: TransportOptions,
        package: str,
        network: Network | None = None,
        certificates: Certificates = PLAIN,
    ) -> None:
        """Opens no connection yet; without `network` every server may be dialled."""
        target = parse(url)
        self.address, self.database = target.address, target.database
        network = network or Network()
        self.client = redis_client(url, options, network, certificates)
        self._metrics = network.metrics
        self._folder = files(package) / "lua"
        self._digests: dict[str, str] = {}

    async def ping(self) -> None:
        """Raise BrokerError unless the server responds and accepts the credentials."""
        with broker_errors(self.address), timed(self._metrics):
            await self.client.ping()

    async def close(self) -> None:
        """Close all connections. The object cannot be used afterwards."""
        await self.client.aclose()

    async def run(
        self, script: str, keys: Sequence[str], args: Sequence[Any], shape: Callable[[Any], _Shaped]
    ) -> _Shaped:
        """Run a script, atomically. `shape` checks what it answers, as the functions in `shapes` do."""
        return (await self.run_each(script, [(keys, args)], shape))[0]

    async def run_each(
        self, script: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]], shape: Callable[[Any], _Shaped]
    ) -> list[_Shaped]:
        """Run a script once for each pair of keys and arguments, in one round trip. Returns the responses in order."""
        with broker_errors(self.address), timed(self._metrics):
            digest = self._digests.get(script) or await self._load(script)
            try:
                answers = await self._send(digest, calls)
            except NoScriptError:
                # A restarted server has no scripts. It checks this before it runs one, so nothing was executed.
                answers = await self._send(await self._load(script), calls)
            return [shape(answer) for answer in answers]

    async def scan(self, beginning: str, kind: str | None = None) -> AsyncIterator[bytes]:
        """The names of all keys that begin so, of one type if `kind`; BrokerError when that takes too long.

        A server decides itself when a scan is over, so its time and its number of keys have a bound.
        """
        cursor, count, until = 0, 0, asyncio.get_running_loop().time() + _SCAN_SECONDS
        while count == 0 or cursor != 0:
            with broker_errors(self.address):
                step: Any = await self.client.scan(cursor, f"{literal(beginning)}*", _SCAN_STEP, kind)
                cursor, keys = step
                count += 1 + len(keys)
                if count > _MOST_KEYS or asyncio.get_running_loop().time() > until:
                    raise RedisTimeoutError("the scan takes too long")
            for key in keys:
                yield key

    async def _load(self, script: str) -> str:
        text = (self._folder / f"{script}.lua").read_text()
        digest: str = await self.client.script_load(text)
        if not _DIGEST.fullmatch(digest):
            raise InvalidResponse("the script's digest is none")
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
