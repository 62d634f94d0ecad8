"""Index lists of a status, read back."""

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.indexes import Indexes


def parse_indexes(text: str) -> Indexes:
    """The inverse of `format_indexes`; ValueError for anything that is not its notation."""
    found = BitMap()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        start, end = int(first), int(last if dash else first)
        if end < start:
            raise ValueError(f"{part!r} is not a run of indexes: its end is before its start")
        found.add_range(start, end + 1)
    return FrozenBitMap(found)
