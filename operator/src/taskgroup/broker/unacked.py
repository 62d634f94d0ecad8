"""How kombu keeps a message that a worker took and has not acknowledged, and what it looks like when it goes back."""

import json
from dataclasses import dataclass
from typing import Any

from taskgroup.broker.keys import list_number
from taskgroup.core.task_id import TaskId


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
        message = json.loads(raw)[0]
        headers, properties = message["headers"], message["properties"]
        headers["redelivered"] = True
        properties["delivery_info"]["redelivered"] = True
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    item = TaskId.parse(headers.get("id"))
    number = list_number(_priority(properties))
    # json, not orjson: integers of any size must survive.
    return Entry(tag, raw, number, item, str(headers.get("id", "")), json.dumps(message).encode())


def _priority(properties: dict[str, Any]) -> int:
    """Kombu re-lists by properties.priority, clamped, 0 when there is none."""
    try:
        return max(0, min(9, int(properties["priority"])))
    except (KeyError, TypeError, ValueError):
        return 0
