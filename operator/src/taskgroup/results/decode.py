"""Decodes the results that Celery stores. No bytes raise an exception: what is not a result gives None."""

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

HEAD_BYTES = 65_536
"""The first bytes of a value, which contain state and reason."""
MAX_BYTES = 512 * 1024 * 1024
"""Most bytes of one Redis value, and the limit of a compressed one after decompression."""
COMPRESSED = b"\0celery-compressed\0"
"""How a value begins that result_compression has packed."""
ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})

_STATUS = re.compile(rb'\{"status": ?"([A-Z]+)"')
_DECOMPRESSORS: Mapping[bytes, Callable[[], Any]] = {
    b"application/x-gzip": zlib.decompressobj,
    b"application/x-bz2": bz2.BZ2Decompressor,
    b"application/x-lzma": lzma.LZMADecompressor,
}


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A stored result: `value` is the return value of the task, or Celery's description of its exception."""

    status: str
    value: Any
    traceback: str | None = None


def decode(raw: bytes | None, limit: int = MAX_BYTES) -> StoredResult | None:
    """Decode a value, compressed or not; None when it is missing or not a JSON result of Celery.

    `limit` is the most bytes that are read of a compressed value after decompression.
    """
    meta = _json(_decompressed(raw, limit)) if raw else None
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return None
    traceback = meta.get("traceback")
    return StoredResult(meta["status"], meta.get("result"), traceback if isinstance(traceback, str) else None)


def ending(head: bytes | None) -> StoredResult | None:
    """Decode state, exception and traceback from the first HEAD_BYTES of a value; None without a value or a state.

    The memory for this is bounded: a value that is longer or incomplete is read up to its cut.
    """
    stored = decode(head, HEAD_BYTES)
    return stored or (_decode_incomplete(_decompressed(head, HEAD_BYTES)) if head else None)


def _decode_incomplete(text: bytes) -> StoredResult | None:
    """Decode the beginning of a value; Celery writes the state first, then type and message of the exception."""
    status = _STATUS.match(text)
    if status is None:
        return None
    fields = {name: _start_of(name, text) for name in ("exc_type", "exc_message")}
    description = {name: value for name, value in fields.items() if value is not None}
    return StoredResult(status[1].decode(), description or None, _whole_text_of("traceback", text))


def _start_of(name: str, text: bytes) -> str | None:
    """The text of a field as far as it goes, also the first of a list."""
    return _text(re.search(rb'"%b": ?\[?"((?:[^"\\]|\\.)*)' % name.encode(), text))


def _whole_text_of(name: str, text: bytes) -> str | None:
    """The text of a field whose end is there."""
    return _text(re.search(rb'"%b": ?"((?:[^"\\]|\\.)*)"' % name.encode(), text))


def _text(match: re.Match[bytes] | None) -> str | None:
    value = _json(b'"%b"' % match[1]) if match else None
    return value if isinstance(value, str) else None


def _decompressed(raw: bytes, limit: int) -> bytes:
    """Undo result_compression, up to `limit` bytes, for the methods in the standard library; empty for other ones."""
    if not raw.startswith(COMPRESSED):
        return raw
    method, _, body = raw.removeprefix(COMPRESSED).partition(b"\0")
    decompressor = _DECOMPRESSORS.get(method)
    try:
        return decompressor().decompress(body, limit) if decompressor else b""
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""


def _json(text: bytes) -> Any:
    """Parse by json: orjson refuses NaN, which Celery writes, and turns integers beyond 64 bits into floats."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
