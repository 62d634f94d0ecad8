"""One reading for all who ask at about the same time, because its cost grows with what all of them have there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_NEVER = float("-inf")


class SharedRead(Generic[T]):
    """Who asks gets what a reading has found that began after the question."""

    def __init__(self, read: Callable[[], Awaitable[T]], pause: float) -> None:
        """`pause` is the least number of seconds between the beginnings of two readings."""
        self._read = read
        self._pause = pause
        self._turn = asyncio.Lock()
        self._asking = 0
        self._began = _NEVER
        self._found: T | None = None

    async def get(self) -> T:
        """A reading that fails does so for one who asked; the others' is the next one."""
        asked = time.monotonic()
        self._asking += 1
        try:
            async with self._turn:
                if self._found is None or self._began <= asked:
                    self._found = None
                    self._found = await self._anew()
                return self._found
        finally:
            self._asking -= 1
            if not self._asking:
                # It may be large, and nobody may use it again.
                self._found = None

    async def _anew(self) -> T:
        # Also without a pause: those who ask in this very moment come in before the reading begins.
        await asyncio.sleep(max(0.0, self._began + self._pause - time.monotonic()))
        self._began = time.monotonic()
        return await self._read()
