"""Decodes the results that Celery stores. No bytes raise an exception: what is not a result gives None."""

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC

from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure

MESSAGE_LENGTH = 1024
_EXCEPTION_LENGTH = 256
HEAD_BYTES = 65_536
"""The first bytes of a value, which contain state and reason."""
_MAX_BYTES = 512 * 1024 * 1024
"""Most bytes of one Redis value, and the limit of a compressed one after decompression."""
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


UNREADABLE = Failure(
    "UnreadableResult",
    "The stored result is not JSON. Set result_serializer to json in the app, or remove the foreign value.",
)


def decode(raw: bytes | None, limit: int = _MAX_BYTES) -> StoredResult | None:
    """Decode a value, compressed or not; None when it is missing or not a JSON result of Celery.

    `limit` is the most bytes that are read of a compressed value after decompression.
    """
    meta = _json(_decompressed(raw, limit)) if raw else None
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return None
    return StoredResult(meta["status"], meta.get("result"))


def ending(head: bytes | None) -> tuple[str, Failure] | None:
    """Decode state and reason from the first HEAD_BYTES of a value; None when it is missing or has no state.

    The memory for this is bounded: the traceback is ignored, and a value that is longer or incomplete is read up to
    its cut.
    """
    stored = decode(head, HEAD_BYTES)
    if stored is None:
        stored = _decode_incomplete(_decompressed(head, HEAD_BYTES)) if head else None
    return (stored.status, failure(stored)) if stored else None


def failure(stored: StoredResult) -> Failure:
    """Return the reason of a FAILURE or REVOKED result: the exception's class, or what became of the task."""
    description = stored.value if isinstance(stored.value, dict) else {}
    message = _clean(_message(description, stored.value)[:MESSAGE_LENGTH])
    if stored.status == "REVOKED":
        return Failure(Reason.EXPIRED if "expired" in message.lower() else Reason.REVOKED, message)
    return Failure(_clean(str(description.get("exc_type") or "Unknown")[:_EXCEPTION_LENGTH]), message)


def _message(description: Mapping[str, Any], value: object) -> str:
    """The text of an exception. Celery stores its arguments, which are joined by commas."""
    message = description.get("exc_message", "" if description else value)
    if isinstance(message, list):
        return ", ".join(map(str, message))
    return "" if message is None else str(message)


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON allows and UTF-8 does not."""
    return text.encode(errors="replace").decode()


def _decode_incomplete(text: bytes) -> StoredResult | None:
    """Decode the beginning of a value; Celery writes the state first, then type and message of the exception."""
    status = _STATUS.match(text)
    if status is None:
        return None
    fields = {name: _text_of(name, text) for name in ("exc_type", "exc_message")}
    description = {name: value for name, value in fields.items() if value is not None}
    return StoredResult(status[1].decode(), description or None)


def _text_of(name: str, text: bytes) -> str | None:
    match = re.search(rb'"%b": ?\[?"((?:[^"\\]|\\.)*)' % name.encode(), text)
    value = _json(b'"%b"' % match[1]) if match else None
    return value if isinstance(value, str) else None


def _decompressed(raw: bytes, limit: int) -> bytes:
    """Undo result_compression, up to `limit` bytes, for the methods in the standard library; empty for other ones."""
    if not raw.startswith(COMPRESSED_PAYLOAD_MAGIC):
        return raw
    method, _, body = raw.removeprefix(COMPRESSED_PAYLOAD_MAGIC).partition(b"\0")
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
