"""How the pod that reads items hands them to the operator: pieces in one hash of the group's Redis, then a head.

A piece is a JSON list of items, compressed. The head is written last and says how many there are, where each piece
begins, and the digest of all: without it there is nothing to read yet. It may say instead why they cannot be read.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from taskgroup.api.spec import MAX_COUNT

HEAD = "head"
"""Field of the hash; those of pieces are their numbers."""
PIECE_ITEMS = 1_000
LONGEST_ITEM = 1024 * 1024
"""Of one item's JSON."""
PIECE_BYTES = 1024 * 1024
"""Of JSON; a piece ends where it has either, and a single item may be longer."""
MAX_BYTES = 32 * 1024 * 1024
"""Of all pieces, compressed: the operator keeps them in memory."""
_MAX_HEAD = 1024 * 1024
_MAX_SENTENCE = 1_024


@dataclass(frozen=True, slots=True)
class Head:
    """What was read from one source."""

    source: str
    """Digest of the fields of spec.itemsFrom: items of another source are none of ours."""
    count: int = 0
    sha256: str = ""
    """Digest of the items."""
    starts: tuple[int, ...] = ()
    """Index of each piece's first item."""
    error: str = ""
    """Why there are no items, as a sentence; empty when there are."""

    def encode(self) -> bytes:
        """As it is stored."""
        return orjson.dumps([self.source, self.count, self.sha256, self.starts, self.error])

    @classmethod
    def decode(cls, data: bytes) -> "Head":
        """The inverse; ValueError when the bytes are no head. Who can write there may be anybody."""
        try:
            source, count, sha256, starts, error = orjson.loads(data[:_MAX_HEAD])
        except (ValueError, TypeError):
            raise ValueError("the list of items in Redis has no readable head") from None
        texts = all(isinstance(text, str) for text in (source, sha256, error))
        if not texts or not _is_count(count) or not _are_starts(starts, count):
            raise ValueError("the list of items in Redis has no readable head")
        return cls(source, count, sha256[:64], tuple(starts), error[:_MAX_SENTENCE])


def _is_count(count: Any) -> bool:
    return type(count) is int and 0 <= count <= MAX_COUNT


def _are_starts(starts: Any, count: int) -> bool:
    """The first piece begins with 0, and each has an item."""
    if not isinstance(starts, list) or not all(type(start) is int for start in starts):
        return False
    return starts == sorted(set(starts)) and starts[:1] == ([0] if count else []) and (starts or [-1])[-1] < count


@dataclass(slots=True)
class Pieces:
    """Items on their way into pieces."""

    count: int = 0
    starts: list[int] = field(default_factory=list)
    total_bytes: int = 0
    """Of the pieces that are complete."""
    _digest: Any = field(default_factory=hashlib.sha256)
    _open: list[bytes] = field(default_factory=list)
    _open_bytes: int = 0

    def add(self, item: Any) -> bytes | None:
        """The piece that this item completes, if it does; ValueError or TypeError for what cannot be handed over."""
        text = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        if len(text) > LONGEST_ITEM:
            raise ValueError(f"it is longer than {LONGEST_ITEM:,} bytes, so pass large data by reference")
        self._digest.update(len(text).to_bytes(8, "big") + text)
        self._open.append(text)
        self._open_bytes += len(text)
        self.count += 1
        return self.rest() if len(self._open) >= PIECE_ITEMS or self._open_bytes >= PIECE_BYTES else None

    def rest(self) -> bytes | None:
        """What is not in a piece yet; None when nothing is left."""
        if not self._open:
            return None
        self.starts.append(self.count - len(self._open))
        piece = zlib.compress(b"[" + b",".join(self._open) + b"]")
        self._open, self._open_bytes = [], 0
        self.total_bytes += len(piece)
        return piece

    def head(self, source: str) -> Head:
        """Of everything that was added."""
        return Head(source, self.count, self._digest.hexdigest(), tuple(self.starts))


def unpacked(piece: bytes, most_bytes: int) -> list[Any]:
    """The items of a piece; ValueError when it is none, or unpacks to more than `most_bytes`."""
    opener = zlib.decompressobj()
    try:
        text = opener.decompress(piece, most_bytes)
        items = orjson.loads(text) if opener.eof else None
    except (zlib.error, ValueError):
        items = None
    if not isinstance(items, list):
        raise ValueError("a part of the list of items in Redis cannot be read")
    return items
