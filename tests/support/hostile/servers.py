"""Servers that answer as no Redis does, each on a loopback port of its own, in a thread of their own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with one connection, until the client closes it."""

_PIECE = 65_536


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """Yields the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    writers = list[asyncio.StreamWriter]()
    server = asyncio.run_coroutine_threadsafe(_start(behaviour, writers), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, writers), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(behaviour: Behaviour, writers: list[asyncio.StreamWriter]) -> asyncio.Server:
    tasks = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await behaviour(reader, writer)
        writer.transport.abort()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return await asyncio.start_server(accepted, "127.0.0.1", 0)


async def _end(server: asyncio.Server, writers: list[asyncio.StreamWriter]) -> None:
    server.close()
    # What was accepted a moment ago starts after the listening has ended.
    for _ in range(10):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.05)


def answering(answer: bytes) -> Behaviour:
    """The same answer to whatever comes, once for each piece that arrives."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(_PIECE):
            writer.write(answer)
            await writer.drain()

    return behave


def flooding(beginning: bytes, piece: bytes) -> Behaviour:
    """A beginning, then a piece again and again."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_PIECE)
        writer.write(beginning)
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


def dripping(beginning: bytes, seconds: float = 0.2) -> Behaviour:
    """A beginning, then a byte now and then."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_PIECE)
        writer.write(beginning)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(seconds)

    return behave


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and answers nothing."""
    while await reader.read(_PIECE):
        pass


async def deaf(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Reads nothing."""
    await asyncio.Event().wait()
