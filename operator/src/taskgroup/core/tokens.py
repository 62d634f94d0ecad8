"""The tokens of a rate limit: so many starts in any window of its unit, whoever starts them.

What is put on the queue is no start: a worker may take it much later. So the next token is reckoned from the moment at
which the items of the one before were seen to have left the queue, and there is no next one while they wait. Tokens
that nobody used are lost.
"""

from dataclasses import dataclass

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_GRAIN_SECONDS = 0.5
"""A fast limit gives several tokens at once: the operator looks only some times a second."""
_MARGIN_SECONDS = 0.1
_RESERVE_SECONDS = 0.5
"""Of each window, for what nobody sees: how much longer one item takes to its first line than another."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit as steps: `batch` starts, then nothing for `seconds`."""

    batch: int
    seconds: float


def read_rate(text: str) -> Rate:
    """Of a text such as 10/m. Any window of the unit holds at most its number of starts."""
    number, _, unit = text.partition("/")
    count, window = int(number), _UNITS[unit]
    batch = max(1, int(count * _GRAIN_SECONDS / window))
    steps = count // batch  # whole batches fill the window
    return Rate(batch, window / steps + max(_MARGIN_SECONDS, _RESERVE_SECONDS / steps))


def per_second(text: str) -> float:
    """The limit as somebody has written it, without what is held back of it."""
    count, _, unit = text.partition("/")
    return int(count) / _UNITS[unit]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the books know of the last token."""

    at: float = 0.0
    """When its items were put on the queue, or, once they left it, when that was seen; seconds since the epoch."""
    waits: bool = False
    """They are still on the queue, as far as anybody knows."""
