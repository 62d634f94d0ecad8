"""A server on a loopback port, in a thread of its own, that leaves no connection open."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with one connection; it is cancelled at the end."""


@contextmanager
def stream_server(serve: Serve) -> Iterator[int]:
    """Yields the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    connections = _Connections(serve)
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(connections.accept, "127.0.0.1", 0), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(connections.end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Connections:
    """Of one server."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._writers = list[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one more."""
        self._writers.append(writer)
        task = asyncio.create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._serve(reader, writer)
        writer.transport.abort()

    async def end(self, server: asyncio.Server) -> None:
        """Accept no more and break all of them."""
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        # asyncio has a task for what was accepted a moment ago. When it is cancelled, or the server closed before it
        # runs, it leaves the socket open.
        await asyncio.gather(*(asyncio.all_tasks() - self._tasks - {asyncio.current_task()}))
        server.close()
        ending = list(self._tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        # A transport closes its socket in the next turn of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
