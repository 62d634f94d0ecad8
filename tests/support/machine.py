"""How fast this machine is at the moment: limits in seconds are stated for one that sums in REFERENCE_SECONDS."""

import time
from collections.abc import Callable
from pathlib import Path

REFERENCE_SECONDS = 0.3
"""What the sum takes in a function, as here. At the top of a script, where names are looked up in a dict, it is 0.6."""
_NUMBERS = 10_000_000
_TRIES = 5


def slowness(part: float = 1.0) -> float:
    """By which factor a limit grows here and now; 1 where the machine is as fast as the reference, or faster.

    With a `part` of the sum it is found as much sooner, and less certain.
    """
    begin, total = time.perf_counter(), 0
    for number in range(round(_NUMBERS * part)):
        total += number
    return max(1.0, (time.perf_counter() - begin) / (REFERENCE_SECONDS * part))


def in_time(took: float, seconds: float) -> bool:
    """Whether so many seconds are within a limit for the reference machine; this one is measured where they are not."""
    return took <= seconds or took <= seconds * slowness()


def all_late(attempt: Callable[[], float], seconds: float) -> list[float]:
    """The seconds of some attempts, none of which was within the limit; empty when one was.

    What is too slow makes all of them late. A machine that for a while had no time for one process does not.
    """
    took = list[float]()
    for _ in range(_TRIES):
        took.append(attempt())
        if in_time(took[-1], seconds):
            return []
    return took


def waited_seconds(process: int) -> float:
    """For how long, since its start, the first thread of a process could have run while the machine ran others."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
