"""How fast this machine is at the moment: limits in seconds are stated for one that sums in REFERENCE_SECONDS."""

import time

REFERENCE_SECONDS = 0.6
_NUMBERS = 10_000_000


def slowness() -> float:
    """By which factor a limit grows here and now; 1 where the machine is as fast as the reference, or faster."""
    begin, total = time.perf_counter(), 0
    for number in range(_NUMBERS):
        total += number
    return max(1.0, (time.perf_counter() - begin) / REFERENCE_SECONDS)
