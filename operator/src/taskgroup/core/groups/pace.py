"""How fast the items of a group end, and when the last of them will have ended."""

from dataclasses import dataclass, replace
from math import ceil, exp

from taskgroup.core.ledger import Ledger

MEMORY_SECONDS = 60.0
"""How far back the pace looks."""
ENOUGH = 30
"""Fewer ends than these within that time say little: where tasks are long they come in bursts."""
_UNITS = ((1.0, "s"), (1 / 60, "min"), (1 / 3600, "h"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """An average in which what ended long ago counts little."""

    at: float = 0.0
    """Of the last look; seconds since the epoch."""
    items: float = 0.0
    """Items that ended."""
    seconds: float = 0.0
    """In this time."""
    rate: float | None = None
    """Items a second at the last look at which some had ended; None when nobody can tell."""
    estimate: float | None = None
    """When the last item ends at that rate; seconds since the epoch."""

    def over(self, now: float) -> "Pace":
        """Without an estimate that has turned out wrong."""
        is_over = self.estimate is not None and self.estimate < now
        return replace(self, rate=None, estimate=None) if is_over else self


def later(pace: Pace, ledger: Ledger, arrived: int, now: float) -> Pace:
    """The pace after `arrived` items ended since the last look; `ledger` knows of them already.

    Rate and estimate stay as they are until the next item ends, so that a status which nothing else changes need not
    be written.
    """
    if not pace.at:
        return Pace(at=now)
    kept = exp(-max(0.0, now - pace.at) / MEMORY_SECONDS)
    seen = replace(
        pace, at=now, items=pace.items * kept + arrived, seconds=pace.seconds * kept + MEMORY_SECONDS * (1 - kept)
    )
    if not arrived:
        return seen.over(now)
    rate = _rate(seen, ledger, now)
    return replace(seen, rate=rate, estimate=None if rate is None else ceil(now + ledger.unfinished / rate))


def _rate(pace: Pace, ledger: Ledger, now: float) -> float | None:
    """Of the last minute where that says enough, else of the whole time that the group has run."""
    if pace.items >= ENOUGH and pace.seconds >= 1:
        return pace.items / pace.seconds
    ran, ended = ledger.running_seconds(now), len(ledger.succeeded) + len(ledger.failed)
    return ended / ran if ran >= 1 and ended else None


def rate_text(rate: float) -> str:
    """Items a second as people say it: 12/s, 7.5/min, 3/h."""
    size, unit = next(((size, unit) for size, unit in _UNITS if rate >= size), _UNITS[-1])
    number = rate / size
    return f"{number:.0f}/{unit}" if number >= 10 else f"{number:.1f}".removesuffix(".0") + f"/{unit}"
