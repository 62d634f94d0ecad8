"""How kombu keeps a message that a worker took and has not acknowledged, and what it looks like when it goes back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from taskgroup.broker.keys import list_number
from taskgroup.core.pools.claim_history import Unacked
from taskgroup.core.task_id import TaskId
from taskgroup.transport.json_text import read_json


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of an unacked hash, and the message as it belongs into list number `list` again."""

    tag: bytes
    raw: bytes
    list: int
    item: TaskId | None
    """None for a subtask."""
    id: str
    message: bytes
    waits: bool = False
    """Its ETA has not come: no worker has run it."""
    is_fresh: bool = True
    """The operator can make the message again; only the message of a retry knows its arguments."""


def read_entry(tag: bytes, raw: bytes, now: float) -> Entry | None:
    """None when this is not kombu's `[message, exchange, routing key]`: such an entry stays where it is.

    `now` is in seconds since the epoch.
    """
    try:
        message = read_json(raw)[0]
        headers, properties = message["headers"], message["properties"]
        headers["redelivered"] = True
        properties["delivery_info"]["redelivered"] = True
        if headers.get("expires") is not None:
            headers["expires"] = _expires_anew(properties, now)
        # json, not orjson: integers of any size must survive.
        text, name = json.dumps(message).encode(), headers.get("id")
        str(name or "").encode()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    return Entry(
        tag,
        raw,
        list_number(_priority(properties)),
        TaskId.parse(name),
        str(name or ""),
        text,
        waits=_moment(headers.get("eta")) > now,
        is_fresh=not headers.get("retries"),
    )


def _expires_anew(properties: dict[str, Any], now: float) -> str | None:
    """A worker took the message in time. What says for how long it holds gets that time again; no other expires."""
    try:
        return (datetime.fromtimestamp(now, UTC) + timedelta(milliseconds=int(properties["expiration"]))).isoformat()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _moment(text: object) -> float:
    """Seconds since the epoch of Celery's ISO 8601; the beginning of time for anything else."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if moment else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _priority(properties: dict[str, Any]) -> int:
    """Kombu re-lists by properties.priority, clamped, 0 when there is none."""
    try:
        return max(0, min(9, int(properties["priority"])))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0


UNACKED_FIELDS = ("tag", "taken_at", "id", "task", "eta", "limit")
"""What `unacked.lua` tells of one entry."""


def read_unacked(fields: Sequence[bytes]) -> Unacked:
    """From the UNACKED_FIELDS; empty where there is none."""
    tag, taken_at, name, task, eta, limit = (field.decode(errors="surrogateescape") for field in fields)
    return Unacked(
        tag=tag, taken_at=_number(taken_at) or 0.0, id=name, task=task, eta=_moment(eta) or None, limit=_number(limit)
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
