"""How many requests an operator makes, counted on the way to those who answer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from support.redis_server import RedisServer
from support.stream_server import stream_server

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
    """Hands everything on to the API server, encrypted as it is."""

    def __init__(self, host: str, port: int) -> None:
        self.sent = 0
        """Pieces that came from the operator: at least one for each request."""
        self._target = (host, port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side closes."""
        back, forth = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(self._pass(reader, forth, counted=True), self._pass(back, writer, counted=False))
        finally:
            forth.transport.abort()

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


@contextmanager
def counted(kubeconfig: str, folder: Path) -> Iterator[tuple[str, Passage]]:
    """A kubeconfig whose requests are counted, and where."""
    content = yaml.safe_load(Path(kubeconfig).read_text())
    cluster = content["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    passage = Passage(address.hostname or "127.0.0.1", address.port or 443)
    path = folder / "counted-kubeconfig"
    with stream_server(passage.serve) as port:
        cluster["server"] = f"https://127.0.0.1:{port}"
        path.write_text(yaml.safe_dump(content))
        yield str(path), passage
