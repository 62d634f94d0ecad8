"""How kombu keeps a message that a worker took and has not acknowledged, and what it looks like when it goes back."""

import json
from dataclasses import dataclass
from typing import Any

from taskgroup.broker.keys import list_number
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


def read_entry(tag: bytes, raw: bytes) -> Entry | None:
    """None when this is not kombu's `[message, exchange, routing key]`: such an entry stays where it is."""
    try:
        message = read_json(raw)[0]
        headers, properties = message["headers"], message["properties"]
        headers["redelivered"] = True
        properties["delivery_info"]["redelivered"] = True
        text, name = json.dumps(message).encode(), headers.get("id")
        str(name or "").encode()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    return Entry(tag, raw, list_number(_priority(properties)), TaskId.parse(name), str(name or ""), text)


def _priority(properties: dict[str, Any]) -> int:
    """Kombu re-lists by properties.priority, clamped, 0 when there is none."""
    try:
        return max(0, min(9, int(properties["priority"])))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0
