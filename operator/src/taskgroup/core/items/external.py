"""The items of `spec.itemsFrom`, as a pod has read them: kept compressed, and unpacked a piece at a time."""

from bisect import bisect_right
from collections.abc import Generator, Sequence
from typing import Any

from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.handover import PIECE_BYTES, Head, Pieces, unpacked

_MOST_UNPACKED = 4 * PIECE_BYTES
"""Of one piece: it ends with the item that makes it too long."""


class ExternalItems:
    """A million short items take some megabytes; asking for neighbours unpacks their piece once."""

    def __init__(self, head: Head, pieces: Sequence[bytes]) -> None:
        self._head = head
        self._pieces = pieces
        self._current: tuple[int, list[Any]] = (-1, [])

    def __len__(self) -> int:
        return self._head.count

    def value(self, index: int) -> Any:
        """See Items."""
        number = bisect_right(self._head.starts, index) - 1
        if self._current[0] != number:
            self._current = number, unpacked(self._pieces[number], _MOST_UNPACKED)
        return self._current[1][index - self._head.starts[number]]

    @property
    def pieces(self) -> int:
        """See Items."""
        return 1

    def piece(self, position: int) -> bytes:
        """See Items."""
        del position
        return f"itemsFrom {self._head.sha256}".encode()

    def samples(self) -> Sequence[int]:
        """See Items."""
        return range(len(self))


def external_items(head: Head, pieces: Sequence[bytes]) -> Generator[None, None, ExternalItems]:
    """The items, compared with what the head says of them; InvalidSpecError when they are others. In small steps."""
    found = Pieces()
    try:
        for start, piece in zip(head.starts, pieces, strict=True):
            if found.count != start:
                raise ValueError("its parts do not fit together")
            for item in unpacked(piece, _MOST_UNPACKED):
                found.add(item)
            yield
    except ValueError as error:
        raise InvalidSpecError(f"spec.itemsFrom: {error}: create a new TaskGroup.") from None
    if (found.count, found.head("").sha256) != (head.count, head.sha256):
        raise InvalidSpecError("spec.itemsFrom: the list in Redis is not what was read: create a new TaskGroup.")
    if not head.count:
        raise InvalidSpecError("spec.itemsFrom: the source has no items.")
    return ExternalItems(head, pieces)
