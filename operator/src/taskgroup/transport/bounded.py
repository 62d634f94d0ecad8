"""redis-py's connection with the bounds that it lacks: the server may belong to any tenant.

The size of answers (`answers`, `shares`), the time of a connection attempt and of all answers to one request, and the
addresses that are dialled (`network`).
"""

import asyncio
from collections.abc import Awaitable, Iterable
from ssl import SSLContext, SSLError
from typing import Any

from redis._parsers import BaseParser
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from taskgroup.transport.answers import INCOMPLETE, AnswerReader
from taskgroup.transport.network import Network
from taskgroup.transport.shapes import CALLBACKS
from taskgroup.transport.shares import Share

_READ_BYTES = 65_536
_HERE = "127.0.0.1"
_REQUEST_FACTOR = 3
"""The answers to one request may together take so many times what one of them may."""
_MISSHAPEN = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
"""What redis-py raises over an answer of another shape than the command's."""


class BoundedParser(BaseParser):
    """Reads answers from a connection's stream."""

    def __init__(self, network: Network) -> None:
        self._limit = network.shares.longest_bytes
        self._reader = AnswerReader(self._limit)
        self._share = Share(network.shares)
        self._stream: asyncio.StreamReader | None = None

    def on_connect(self, connection: Any) -> None:
        """A fresh stream."""
        self._stream, self._reader = connection._reader, AnswerReader(self._limit)  # noqa: SLF001 - as redis-py's own

    def on_disconnect(self) -> None:
        """The stream is of no use any more, nor is what came of an answer: the pool keeps the connection."""
        self._stream, self._reader = None, AnswerReader(self._limit)
        self.rest()

    def begin(self) -> None:
        """The next request is sent."""
        self._reader.begin()
        self._share.release()

    def rest(self) -> None:
        """Nobody waits for an answer."""
        self._share.release()

    async def can_read(self) -> bool:
        """Whether something came that nobody asked for, or the stream has ended."""
        if self._stream is None:
            raise OSError("the connection is closed")
        # asyncio has no public way to look; redis-py's parsers do the same.
        pending = bool(self._stream._buffer)  # type: ignore[attr-defined] # noqa: SLF001
        return pending or not self._reader.is_idle or self._stream.at_eof()

    async def read_response(self, disable_decoding: bool = False) -> Any:  # noqa: ARG002 - redis-py passes it
        """One answer; errors of the server are returned, those that end a connection are raised."""
        while (answer := self._reader.next()) is INCOMPLETE:
            await self._share.cover(self._reader.taken_bytes)
            self._reader.feed(await self._read())
        if isinstance(answer, RedisConnectionError):
            raise answer
        return answer

    async def _read(self) -> bytes:
        if self._stream is None:
            raise RedisConnectionError("Connection closed by server.")
        async with asyncio.timeout_at(self._share.until if self._share.is_held else None):
            data = await self._stream.read(_READ_BYTES)
        if not data:
            raise RedisConnectionError("Connection closed by server.")
        return data


class BoundedConnection(Connection):
    """One connection, with TLS when it is given a context."""

    def __init__(
        self,
        *,
        network: Network,
        tls: SSLContext | None,
        socket_timeout: float,
        socket_connect_timeout: float,
        **options: Any,
    ) -> None:
        self._network = network
        self._tls = tls
        self._answer_seconds = socket_timeout
        self._connect_seconds = socket_connect_timeout
        self._address = ""
        self._deadline = 0.0
        super().__init__(socket_timeout=socket_timeout, socket_connect_timeout=socket_connect_timeout, **options)

    def set_parser(self, parser_class: type[BaseParser]) -> None:  # noqa: ARG002 - redis-py's choice is not asked for
        """Always the bounded one."""
        self._parser: BoundedParser = BoundedParser(self._network)

    def _connection_arguments(self) -> dict[str, Any]:
        tls = {"ssl": self._tls, "server_hostname": self.host} if self._tls else {}
        return {"host": self._address, "port": self._forwarded or self.port, **tls}

    @property
    def _forwarded(self) -> int | None:
        return self._network.forwards.get((self.host, int(self.port)))

    async def _connect(self) -> None:
        async with asyncio.timeout(self._connect_seconds):
            addresses = [_HERE] if self._forwarded else await self._network.addresses(self.host)
            for place, self._address in enumerate(addresses, start=1):
                try:
                    await self._try(self._connect_seconds / len(addresses))
                except OSError as error:
                    # The server is there, and its other addresses have the same certificate.
                    if place == len(addresses) or isinstance(error, SSLError):
                        raise
                else:
                    return

    async def _try(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await super()._connect()  # type: ignore[no-untyped-call]

    async def connect_check_health(self, *args: Any, **options: Any) -> None:
        """Connect, log in and choose the database; all of it in bounded time."""
        try:
            async with asyncio.timeout(self._connect_seconds + self._answer_seconds):
                await super().connect_check_health(*args, **options)
        except TimeoutError:
            await self.disconnect()
            raise RedisTimeoutError("Timeout connecting to server") from None

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send one request; the time of its answers begins."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        self._parser.begin()
        self._deadline = asyncio.get_running_loop().time() + _REQUEST_FACTOR * self._answer_seconds
        await super().send_packed_command(command, check_health=check_health)

    async def read_response(self, *_: Any, **__: Any) -> Any:
        """One answer, within the time of one and the rest of the time of all."""
        until = min(self._deadline, asyncio.get_running_loop().time() + self._answer_seconds)
        try:
            async with asyncio.timeout_at(until):
                answer = await self._parser.read_response()
        except TimeoutError:
            await self.disconnect()
            raise RedisTimeoutError("the answers take too long") from None
        except BaseException:
            # As redis-py: nobody knows what comes next.
            await self.disconnect()
            raise
        if self.health_check_interval:
            self.next_health_check = asyncio.get_running_loop().time() + self.health_check_interval
        if isinstance(answer, ResponseError):
            raise answer from None
        return answer

    async def disconnect(self, *args: Any, **options: Any) -> None:
        """Close without waiting for the server, which could keep the operator from ending."""
        if self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(*args, **{**options, "nowait": True})

    def rest(self) -> None:
        """The connection goes back to its pool."""
        self._parser.rest()


class BoundedPool(BlockingConnectionPool):
    """Connections that hold no share of the memory while nobody uses them, and that stay closed.

    redis-py closes what is open at that moment: a command that just connects would leave its connection open.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._is_closed = False

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Connect it unless it is."""
        if self._is_closed:
            raise RedisConnectionError("The connection is closed.")
        await super().ensure_connection(connection)

    async def release(self, connection: AbstractConnection) -> None:
        """Take the connection back."""
        if isinstance(connection, BoundedConnection):
            connection.rest()
        if self._is_closed:
            await connection.disconnect()
        await super().release(connection)

    async def aclose(self) -> None:
        """Close all connections for good."""
        self._is_closed = True
        await super().aclose()


async def _checked(connection: Any, reading: Awaitable[Any]) -> Any:
    """One answer; after one of another kind than was asked for, nobody knows what comes next on the connection."""
    try:
        return await reading
    except InvalidResponse:
        await connection.disconnect()
        raise


def _require_shape(command: Any) -> None:
    """A command whose answer nobody checks must not be sent."""
    if command not in CALLBACKS and command != "EVALSHA":
        raise NotImplementedError(f"shapes.CALLBACKS does not say what {command} answers")


class BoundedRedis(Redis):
    """A client whose commands raise RedisError or OSError only, whatever the server answers."""

    def __init__(self, pool: BoundedPool) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        for command, shape in CALLBACKS.items():
            self.set_response_callback(command, shape)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command."""
        _require_shape(args[0])
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except _MISSHAPEN:
            raise InvalidResponse("the answer has another shape than the command's") from None

    async def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        """Read and check one answer."""
        return await _checked(connection, super().parse_response(connection, command_name, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "BoundedPipeline":
        """Several commands in one request."""
        return BoundedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class BoundedPipeline(Pipeline):
    """As BoundedRedis."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run what was collected; with `raise_on_error` no answer is an exception."""
        for args, _ in self.command_stack:
            _require_shape(args[0])
        try:
            answers: list[Any] = await super().execute(raise_on_error=raise_on_error)
        except _MISSHAPEN:
            raise InvalidResponse("the answer has another shape than the command's") from None
        if raise_on_error and any(isinstance(answer, Exception) for answer in answers):
            raise InvalidResponse("the answer holds an error where none can be")
        return answers

    async def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        """Read and check one answer."""
        return await _checked(connection, super().parse_response(connection, command_name, **options))
