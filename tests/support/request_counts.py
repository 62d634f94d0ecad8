"""How many requests an operator makes, counted on the way to those who answer."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from support.redis_server import RedisServer

_PIECE = 65_536


def redis_commands(server: RedisServer, command: str = "") -> int:
    """Commands that all clients but those of this function have sent since the server started: all, or of one kind."""
    with server.client() as client:
        stats: Any = client.info("commandstats")
    if command:
        return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])
    own = ("cmdstat_info", "cmdstat_client|setinfo", "cmdstat_hello", "cmdstat_auth")
    return sum(entry["calls"] for name, entry in stats.items() if name not in own)


class Passage:
    """A port that hands everything on to the API server, encrypted as it is."""

    def __init__(self, host: str, port: int) -> None:
        self.sent = 0
        """Pieces that came from the operator: at least one for each request."""
        self.port = 0
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def open(self) -> None:
        """Listen."""
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1")
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Break every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._pass(reader, forth, counted=True), self._pass(back, writer, counted=False))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        try:
            while piece := await source.read(_PIECE):
                self.sent += counted
                sink.write(piece)
                await sink.drain()
        except OSError:
            return
        finally:
            sink.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def counted(kubeconfig: str, folder: Path) -> Iterator[tuple[str, Passage]]:
    """A kubeconfig whose requests are counted, and where."""
    content = yaml.safe_load(Path(kubeconfig).read_text())
    cluster = content["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    passage = Passage(address.hostname or "127.0.0.1", address.port or 443)
    passage.open()
    cluster["server"] = f"https://127.0.0.1:{passage.port}"
    path = folder / "counted-kubeconfig"
    path.write_text(yaml.safe_dump(content))
    try:
        yield str(path), passage
    finally:
        passage.close()
