"""The two clocks that loops read, so that a test can be their time."""

import time
from typing import Protocol

NEVER = float("-inf")
"""Monotonic time of what has not happened yet."""


class Clock(Protocol):
    """Time of day for what is written down, and time that never goes back for what is waited for."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds since some moment."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """See Clock."""
        return time.time()

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()
