"""How much memory the answers of all servers may take together.

A short answer needs nobody's leave. A longer one waits for a place, of which there are few, and holds it for a moment:
so many servers that all send much, or little by little, cannot fill the operator's memory.
"""

import asyncio
from dataclasses import dataclass, field

FREE_BYTES = 128 * 1024
"""Up to here an answer needs no place."""
ANSWER_BYTES = 16 * 1024 * 1024
"""The longest answer: what a pod of ten slots holds of the longest messages, or the ids of some 80,000 messages."""
_MEDIUM_BYTES = 2 * 1024 * 1024
PLACE_SECONDS = 2.0
"""How long an answer may hold a place before it is given up."""


@dataclass(frozen=True, slots=True)
class Places:
    """Answers up to `bytes` that may be under way at once."""

    bytes: int
    free: asyncio.Semaphore


@dataclass(slots=True)
class Shares:
    """The places of one process: 16 of 2 MiB and 2 for the longest answers, 64 MiB in all.

    For a moment a text takes twice its length, as what came and as what is handed on.
    """

    longest_bytes: int = ANSWER_BYTES
    medium: Places = field(default_factory=lambda: Places(_MEDIUM_BYTES, asyncio.Semaphore(16)))
    large: Places = field(init=False)

    def __post_init__(self) -> None:
        self.large = Places(self.longest_bytes, asyncio.Semaphore(2))

    def places(self, taken_bytes: int) -> Places:
        """Where an answer of this size belongs."""
        return self.medium if taken_bytes <= self.medium.bytes else self.large


class Share:
    """What the answers to one request hold."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._places: Places | None = None
        self._bytes = FREE_BYTES
        self.until = 0.0
        """The loop's time at which a held place is given up."""

    @property
    def is_held(self) -> bool:
        """A place is held."""
        return self._places is not None

    async def cover(self, taken_bytes: int) -> None:
        """Wait until the answers may take so much."""
        if taken_bytes <= self._bytes:
            return
        # Given back first: who held one place and waited for another could wait for itself.
        self.release()
        places = self._shares.places(taken_bytes)
        await places.free.acquire()
        self._places, self._bytes = places, places.bytes
        self.until = asyncio.get_running_loop().time() + PLACE_SECONDS

    def release(self) -> None:
        """Give the place back; nothing happens when none is held."""
        places, self._places, self._bytes = self._places, None, FREE_BYTES
        if places is not None:
            places.free.release()
