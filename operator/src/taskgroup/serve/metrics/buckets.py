"""A histogram of one group: far smaller than prometheus_client's own, because there may be a thousand groups."""

from bisect import bisect_left
from itertools import accumulate

from prometheus_client.utils import floatToGoString


class Buckets:
    """How many values were at most each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """The same value so many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self.total += value * times

    def __bool__(self) -> bool:
        return any(self._counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound to how many values were at most that, as prometheus_client takes them."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))
