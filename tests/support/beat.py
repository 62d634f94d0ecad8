"""How long the API server and this machine keep a client waiting: what a limit in seconds must allow for."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from support.api_server import connected
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import NAMESPACES

_STEP_SECONDS = 0.05


@dataclass(slots=True)
class Beat:
    """The longest time, in seconds, between two answers that came one after the other."""

    longest: float = 0.0


@contextmanager
def measured_beat() -> Iterator[Beat]:
    """Asks the API server all the while, in a thread of its own."""
    beat, end = Beat(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask(beat, end)))
    thread.start()
    try:
        yield beat
    finally:
        end.set()
        thread.join()


async def _ask(beat: Beat, end: threading.Event) -> None:
    async with connected() as cluster:
        last = time.monotonic()
        while not end.is_set():
            try:
                await cluster.get(NAMESPACES, "", "default")
            except ApiError:
                continue
            now = time.monotonic()
            beat.longest, last = max(beat.longest, now - last), now
            await asyncio.sleep(_STEP_SECONDS)
