"""Redis' bit strings as sets: the first bit of a byte is its most significant one."""

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.indexes import Indexes

_MEMBERS = tuple(tuple(bit for bit in range(8) if byte >> (7 - bit) & 1) for byte in range(256))
_ALL = 255


def marked(text: bytes) -> Indexes:
    """The numbers of the bits that are set; takes time for the bytes, where most bits are set."""
    found = BitMap()
    position, end = 0, len(text)
    while position < end:
        stop = _end_of_run(text, position)
        if stop > position:
            found.add_range(8 * position, 8 * stop)
        if stop < end:
            found.update(8 * stop + bit for bit in _MEMBERS[text[stop]])
        position = stop + 1
    return FrozenBitMap(found)


def _end_of_run(text: bytes, position: int) -> int:
    """Where the bytes end that are full of bits."""
    while position < len(text) and text[position] == _ALL:
        position += 1
    return position
