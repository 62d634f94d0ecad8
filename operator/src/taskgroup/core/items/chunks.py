"""Which items travel in one message, for tasks that take a list of items.

A chunk has the number of its first item, which is also the index of its units, so that books of units need not know of
chunks. Appended items never join a chunk that may be on its way: they begin one of their own.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.status import ItemsStatus
from taskgroup.core.indexes import Indexes, format_indexes, full, parse_indexes

MAX_STARTS = 400
"""How often items may be appended that do not begin where a chunk is full: the status remembers each time."""
_TEXT_LENGTH = 4_096


@dataclass(frozen=True, slots=True)
class Chunks:
    """How a row of items is cut. All methods take how many items there are."""

    size: int = 1
    starts: tuple[int, ...] = ()
    """Where a chunk begins although the one before is not full; ascending."""

    def entries(self, total: int) -> Indexes:
        """The first item of each chunk."""
        return full(total) if self.size == 1 else _entries(self, total)

    def span(self, index: int, total: int) -> tuple[int, int]:
        """First item of the chunk that an item is in, and the one behind its last."""
        row = bisect_right(self.starts, index)
        begin = self.starts[row - 1] if row else 0
        end = self.starts[row] if row < len(self.starts) else total
        first = index - (index - begin) % self.size
        return first, min(first + self.size, end, total)

    def members(self, indexes: Indexes, total: int) -> Indexes:
        """All items of the chunks that these are in."""
        if self.size == 1:
            return indexes
        found = BitMap()
        for index in indexes & full(total):
            found.add_range(*self.span(index, total))
        return FrozenBitMap(found)

    def count(self, entries: Indexes, total: int) -> int:
        """How many items the chunks have that begin with these."""
        if self.size == 1:
            return len(entries)
        last = (self.span(end - 1, total) for end in (*self.starts, total) if 0 < end <= total)
        return len(entries) * self.size - sum(self.size - (end - first) for first, end in last if first in entries)

    def grown(self, count: int, total: int) -> "Chunks":
        """With a chunk that begins behind the first `count` items, when there are more and the last chunk has room."""
        if total <= count or not count:
            return self
        first, _ = self.span(count - 1, count)
        return self if count - first == self.size else replace(self, starts=(*self.starts, count))

    def starts_text(self, total: int) -> str | None:
        """`starts` as the status has them; None without any."""
        text, _ = format_indexes(FrozenBitMap(start for start in self.starts if start < total), _TEXT_LENGTH)
        return text or None


@lru_cache(maxsize=256)
def _entries(chunks: Chunks, total: int) -> Indexes:
    found = BitMap()
    for begin, end in pairwise((0, *(start for start in chunks.starts if start < total), total)):
        found |= BitMap(range(begin, end, chunks.size))
    return FrozenBitMap(found)


def chunks_of(written: ItemsStatus | None) -> Chunks:
    """How the items were cut that the status knows."""
    if written is None or written.chunk_size is None:
        return Chunks()
    return Chunks(written.chunk_size, tuple(parse_indexes(written.chunk_starts or "")))
