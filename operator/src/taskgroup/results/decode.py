"""What Celery stores as a result, read without trusting it: any bytes give a value or None, never an exception."""

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC

MESSAGE_LENGTH = 1024
_EXCEPTION_LENGTH = 256
HEAD_BYTES = 65_536
"""As much of a value tells state and reason."""
_MAX_BYTES = 512 * 1024 * 1024
"""What Redis holds in one value; a compressed one could claim to be far more."""
ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


_STATUS = re.compile(rb'\{"status": ?"([A-Z]+)"')
_OPENERS: Mapping[bytes, Callable[[], Any]] = {
    b"application/x-gzip": zlib.decompressobj,
    b"application/x-bz2": bz2.BZ2Decompressor,
    b"application/x-lzma": lzma.LZMADecompressor,
}


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result as it was stored: `value` is what the task returned, or Celery's description of its exception."""

    status: str
    value: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item failed: the exception's type and text, the text at most MESSAGE_LENGTH characters."""

    exception: str
    message: str


UNREADABLE = Failure(
    "UnreadableResult",
    "The stored result is not JSON. Set result_serializer to json in the app, or remove the foreign value.",
)


def decode(raw: bytes | None, limit: int = _MAX_BYTES) -> StoredResult | None:
    """None for a missing value and for everything that is no JSON result of Celery, compressed or not.

    `limit` bounds what a compressed value may become.
    """
    meta = _json(_plain(raw, limit)) if raw else None
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return None
    return StoredResult(meta["status"], meta.get("result"))


def outcome(head: bytes | None) -> tuple[str, Failure] | None:
    """State and reason from the first HEAD_BYTES of a value; None for a missing one and for what shows no state.

    Whatever a worker stored, this takes little memory: the traceback is left out, and a value that is too long or
    broken off is read as far as it goes.
    """
    stored = decode(head, HEAD_BYTES)
    if stored is None:
        stored = _beginning(_plain(head, HEAD_BYTES)) if head else None
    if stored is None:
        return None
    return stored.status, failure(stored)


def failure(stored: StoredResult) -> Failure:
    """The reason of a FAILURE or REVOKED result."""
    described = stored.value if isinstance(stored.value, dict) else {}
    name = str(described.get("exc_type") or "Unknown")
    message = _message(described, stored.value)
    return Failure(_clean(name[:_EXCEPTION_LENGTH]), _clean(message[:MESSAGE_LENGTH]))


def _message(described: Mapping[str, Any], value: object) -> str:
    """Celery stores the exception's arguments; one alone is the text, several are shown side by side."""
    said = described.get("exc_message", "" if described else value)
    if isinstance(said, list):
        return ", ".join(map(str, said))
    return "" if said is None else str(said)


def _clean(text: str) -> str:
    """JSON can hold halves of characters, which nothing behind this takes."""
    return text.encode(errors="replace").decode()


def _beginning(text: bytes) -> StoredResult | None:
    """As Celery writes it: the state first, then type and message of the exception."""
    status = _STATUS.match(text)
    if status is None:
        return None
    described = {name: found for name in ("exc_type", "exc_message") if (found := _text_of(name, text)) is not None}
    return StoredResult(status[1].decode(), described or None)


def _text_of(name: str, text: bytes) -> str | None:
    found = re.search(rb'"%b": ?\[?"((?:[^"\\]|\\.)*)' % name.encode(), text)
    said = _json(b'"%b"' % found[1]) if found else None
    return said if isinstance(said, str) else None


def _plain(raw: bytes, limit: int) -> bytes:
    """Undo result_compression by the methods that come with Python, up to `limit` bytes; never raises."""
    if not raw.startswith(COMPRESSED_PAYLOAD_MAGIC):
        return raw
    method, _, body = raw.removeprefix(COMPRESSED_PAYLOAD_MAGIC).partition(b"\0")
    opener = _OPENERS.get(method)
    try:
        return opener().decompress(body, limit) if opener else b""
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""


def _json(text: bytes) -> Any:
    """json, not orjson: Celery writes NaN, and integers beyond 64 bits must not become floats."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
