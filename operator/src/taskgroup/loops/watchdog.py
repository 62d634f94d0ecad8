"""Says who holds the event loop: while one group's step runs too long, every other group waits."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

HELD_SECONDS = 2.0
"""A loop that does nothing else for this long is said to be held."""
_BEAT_SECONDS = 0.25
_PLACES = 3
"""Innermost calls that are named: the library's own, perhaps, and ours."""


def name_task(name: str) -> None:
    """The task that runs now is called so when it holds the loop."""
    if (task := asyncio.current_task()) is not None:
        task.set_name(name)


class Watchdog:
    """A thread that sees when the event loop stands still, and logs which task it is in, and where."""

    def __init__(
        self, log: logging.Logger, held_seconds: float = HELD_SECONDS, late: Callable[[float], None] = lambda _: None
    ) -> None:
        """`late` is told four times a second by how many seconds the event loop came too late."""
        self._log = log
        self._held_seconds = held_seconds
        self._late = late
        self._beat = time.monotonic()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Until cancelled."""
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        thread = threading.Thread(target=self._watch, args=(loop, ident), name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(_BEAT_SECONDS)
                self._late(max(0.0, time.monotonic() - self._beat - _BEAT_SECONDS))
        finally:
            self._ended.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        said = self._beat
        while not self._ended.wait(_BEAT_SECONDS):
            beat = self._beat
            held = time.monotonic() - beat
            if held >= self._held_seconds and beat != said:
                said = beat
                self._log.warning("The event loop is held for %.1f s by %s.", held, _culprit(loop, ident))


def _culprit(loop: asyncio.AbstractEventLoop, ident: int) -> str:
    """The task that runs, which the loops name by its group, and where it is."""
    task = asyncio.current_task(loop)
    name = f"task {task.get_name()!r}" if task else "no task"
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way to see another thread's place
    return f"{name}, {_place(frame)}"


def _place(frame: FrameType | None) -> str:
    places = traceback.extract_stack(frame)[-_PLACES:] if frame else []
    return "in " + ", from ".join(
        f"{place.name} ({'/'.join(Path(place.filename).parts[-2:])}:{place.lineno})" for place in reversed(places)
    )
