"""How many items may be in flight: short queues where tasks are long, never an empty one where they are short."""

from math import exp

from taskgroup.core.groups.observed import Window

MAX_WINDOW = 10_000
"""Bound of what the broker holds for one group, about 10 MB of small messages."""
MAX_WINDOW_BYTES = 32 * 1024 * 1024
"""The same for large ones; only what the workers can run at once is more important."""
START_PER_SLOT = 2
_RATE_SECONDS = 1.0
"""How far back the rate looks."""
_LOOKS = 3
"""How many looks' worth of items the window holds."""
_LEAP = 8
"""As many when a whole window ended between two looks: the workers are faster than can be told yet."""


def adapt(
    window: Window, *, slots: int, queued: int, arrived: int, waiting: int, message_bytes: int, now: float
) -> Window:
    """The window after `arrived` items ended since the last look.

    It doubles when the queue ran dry although items wait, grows to some looks' worth when the queue would be dry
    before the next one, and falls towards that when far more is queued: the mean task time never has to be known.
    """
    floor = START_PER_SLOT * slots + 1
    size = max(window.size, floor)
    if arrived and waiting:
        needed = max(floor, slots + (_LEAP if arrived >= size else _LOOKS) * arrived + 1)
        if queued < arrived:
            size = max(size * 2 if queued == 0 else size, needed)
        elif queued > 4 * arrived:
            size = max(size - size // 4, needed)
    limit = min(max(MAX_WINDOW, floor), max(MAX_WINDOW_BYTES // message_bytes, slots + 1))
    return Window(size=min(size, limit), limit=limit, rate=_rate(window, arrived, now), at=now)


def _rate(window: Window, arrived: int, now: float) -> float:
    """An average in which what ended long ago counts little."""
    return window.rate * exp(-max(0.0, now - window.at) / _RATE_SECONDS) + arrived / _RATE_SECONDS


def occupied(in_flight: int, *, held: int, slots: int) -> int:
    """Items in flight that take part of the window.

    Workers run `slots` messages at once: whatever they hold beyond that waits inside them for its ETA, as a retry with
    a countdown does, and leaves the slots to others.
    """
    return in_flight - min(in_flight, max(0, held - slots))


def room(window: Window, *, in_flight: int, occupied: int, parallelism: int | None) -> int:
    """How many items may be dispatched now; what waits for its ETA is bounded, too."""
    free = min(window.size - occupied, window.limit - in_flight)
    return max(0, free if parallelism is None else min(free, parallelism - in_flight))
