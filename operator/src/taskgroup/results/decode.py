"""What Celery stores as a result, read without trusting it: any bytes give a value or None, never an exception."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery.backends.base import decompress_payload

MESSAGE_LENGTH = 1024
_EXCEPTION_LENGTH = 256
ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result as it was stored: `value` is what the task returned, or Celery's description of its exception."""

    status: str
    value: Any
    traceback: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item failed: the exception's type and text, the text at most MESSAGE_LENGTH characters."""

    exception: str
    message: str
    traceback: str | None


UNREADABLE = Failure(
    "UnreadableResult",
    "The stored result is not JSON. Set result_serializer to json in the app, or remove the foreign value.",
    None,
)


def decode(raw: bytes | None) -> StoredResult | None:
    """None for a missing value and for everything that is no JSON result of Celery, compressed or not."""
    meta = _json(_plain(raw)) if raw else None
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return None
    traceback = meta.get("traceback")
    return StoredResult(meta["status"], meta.get("result"), traceback if isinstance(traceback, str) else None)


def failure(stored: StoredResult) -> Failure:
    """The reason of a FAILURE or REVOKED result."""
    described = stored.value if isinstance(stored.value, dict) else {}
    name = str(described.get("exc_type") or "Unknown")
    message = _message(described, stored.value)
    return Failure(name[:_EXCEPTION_LENGTH], message[:MESSAGE_LENGTH], stored.traceback)


def _message(described: Mapping[str, Any], value: object) -> str:
    """Celery stores the exception's arguments; one alone is the text, several are shown side by side."""
    said = described.get("exc_message", "" if described else value)
    if isinstance(said, list):
        return ", ".join(map(str, said))
    return "" if said is None else str(said)


def _plain(raw: bytes) -> bytes:
    """Undo result_compression, whatever method it names."""
    try:
        plain = decompress_payload(raw)
    except (KeyError, ValueError, OSError, EOFError, zlib.error):
        return b""
    return plain if isinstance(plain, bytes) else str(plain).encode()


def _json(text: bytes) -> Any:
    """json, not orjson: Celery writes NaN, and integers beyond 64 bits must not become floats."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
