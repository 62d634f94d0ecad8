"""When items were put on the queue, as far as this process knows: how long each was on its way."""

from collections.abc import Iterator

from pyroaring import AbstractBitMap, BitMap

MAX_BATCHES = 2_000
"""Of a group; the oldest are forgotten, and nobody measures their items then."""


class DispatchTimes:
    """Batches that are in flight, the oldest first. Times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._batches: list[tuple[float, BitMap]] = []

    def add(self, indexes: AbstractBitMap, now: float) -> None:
        """These were put on the queue now."""
        self._batches.append((now, BitMap(indexes)))
        del self._batches[:-MAX_BATCHES]

    def take(self, ended: AbstractBitMap, now: float) -> Iterator[tuple[int, float]]:
        """Of those that are known: how many, and seconds since their last dispatch. They are forgotten."""
        left = BitMap(ended)
        for began, batch in reversed(self._batches):
            if not left:
                break
            if count := batch.intersection_cardinality(left):
                left.difference_update(batch)
                batch.difference_update(ended)
                yield count, max(0.0, now - began)

    def retain(self, in_flight: AbstractBitMap) -> None:
        """Forget all that is not in flight any more."""
        for _, batch in self._batches:
            batch.intersection_update(in_flight)
        self._batches = [entry for entry in self._batches if entry[1]]

    @property
    def oldest(self) -> float | None:
        """When the oldest dispatch was of which an item is in flight; None when none is known."""
        return next((began for began, batch in self._batches if batch), None)
