"""The ledger as bytes: what is saved between two lives of the operator, and read back without trusting it."""

import zlib
from types import MappingProxyType
from typing import Any

import orjson
from pyroaring import FrozenBitMap

from taskgroup.core.completions import Failure
from taskgroup.core.indexes import Indexes
from taskgroup.core.ledger import FailureGroup, Ledger

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
"""What a snapshot may unpack to: ten times one of 1,000,000 items, half of them with attempts of their own."""
_BITMAPS = ("returned", "succeeded", "failed", "cancelled")
_PLAIN = ("total", "nonce", "ran_seconds", "running_since", "unknown_task")
_MAPPINGS = ("cursors", "attempts", "missed")


def encode(ledger: Ledger) -> bytes:
    """A compressed snapshot: roaring bitmaps and a JSON head; 1,000,000 ended items take a few hundred bytes."""
    blobs = [getattr(ledger, name).serialize() for name in _BITMAPS]
    blobs += [group.indexes.serialize() for group in ledger.failures]
    head: dict[str, Any] = {"format": FORMAT, "sizes": [len(blob) for blob in blobs]}
    head |= {name: getattr(ledger, name) for name in _PLAIN}
    head |= {name: {str(key): value for key, value in getattr(ledger, name).items()} for name in _MAPPINGS}
    head["failures"] = [[group.failure.reason, group.failure.message, group.last_time] for group in ledger.failures]
    text = orjson.dumps(head)
    return zlib.compress(len(text).to_bytes(4, "big") + text + b"".join(blobs))


def decode(data: bytes) -> Ledger:
    """The inverse of `encode`; ValueError when the bytes are not a ledger of a known format."""
    raw = _decompress(data)
    length = int.from_bytes(raw[:4], "big")
    head = orjson.loads(raw[4 : 4 + length])
    try:
        return _filled(head, raw[4 + length :])
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"the ledger is damaged: {error}") from error


def _filled(head: Any, blobs: bytes) -> Ledger:
    if head.get("format") != FORMAT:
        raise ValueError(f"ledger format {head.get('format')} is not known to this version: run a newer operator")
    bitmaps = _bitmaps(blobs, head["sizes"])
    fields: dict[str, Any] = {name: head[name] for name in _PLAIN}
    fields |= {name: MappingProxyType({int(k): v for k, v in head[name].items()}) for name in _MAPPINGS}
    fields |= dict(zip(_BITMAPS, bitmaps, strict=False))
    groups = zip(head["failures"], bitmaps[len(_BITMAPS) :], strict=True)
    failures = tuple(FailureGroup(Failure(reason, message), bits, time) for (reason, message, time), bits in groups)
    return Ledger(failures=failures, **fields)


def _decompress(data: bytes) -> bytes:
    opener = zlib.decompressobj()
    try:
        raw = opener.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"the ledger is damaged: {error}") from error
    if not opener.eof:
        raise ValueError(f"the ledger is damaged: it does not end within {MAX_BYTES} bytes")
    return raw


def _bitmaps(data: bytes, sizes: list[int]) -> list[Indexes]:
    bitmaps: list[Indexes] = []
    for size in sizes:
        bitmaps.append(FrozenBitMap.deserialize(data[:size]))
        data = data[size:]
    return bitmaps
