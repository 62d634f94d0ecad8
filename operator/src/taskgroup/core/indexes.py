"""Sets of indexes as people and Jobs write them: increasing, comma separated, runs of three or more as a-b."""

from collections.abc import Iterator

from pyroaring import BitMap, FrozenBitMap

Indexes = FrozenBitMap
NONE = FrozenBitMap()


def runs(indexes: Indexes) -> Iterator[tuple[int, int]]:
    """First and last index of every run of neighbours; takes time for the runs, not for the members."""
    if not indexes:
        return
    last = indexes.max()
    holes = indexes.flip(0, last + 2)
    first = indexes.min()
    while True:
        end = holes.next_set_bit(first) - 1
        yield first, end
        if end >= last:
            return
        first = indexes.next_set_bit(end + 1)


def format_indexes(indexes: Indexes, limit: int) -> tuple[str, bool]:
    """Job's notation, at most `limit` characters, and whether it is whole (it is cut behind a comma otherwise)."""
    parts: list[str] = []
    length = 0
    for first, last in runs(indexes):
        text = _run(first, last)
        length += len(text) + 1
        if length - 1 > limit:
            return ",".join(parts), False
        parts.append(text)
    return ",".join(parts), True


def _run(first: int, last: int) -> str:
    if last == first:
        return str(first)
    separator = "," if last == first + 1 else "-"
    return f"{first}{separator}{last}"


def parse_indexes(text: str) -> Indexes:
    """The inverse of `format_indexes`; ValueError for anything that is not its notation."""
    members = BitMap()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        start, end = int(first), int(last if dash else first)
        if end < start:
            raise ValueError(f"{part!r} is not a run of indexes: its end is before its start")
        members.add_range(start, end + 1)
    return FrozenBitMap(members)


def full(total: int) -> Indexes:
    """All indexes from 0 to total - 1."""
    everything = BitMap()
    everything.add_range(0, total)
    return FrozenBitMap(everything)
