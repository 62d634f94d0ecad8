"""The result of spec.before, as far as messages can carry it."""

from typing import Any

import orjson

from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.placeholders import NO_BEFORE, NOT_YET
from taskgroup.core.json_limits import MAX_LEVELS, levels_beyond


def encoded_bytes(result: Any) -> int:
    """Length of its JSON, 0 where nobody knows it; InvalidSpecError when no message can carry it."""
    if result is NO_BEFORE or result is NOT_YET:
        return 0
    try:
        encoded = orjson.dumps(result)
    except orjson.JSONEncodeError:
        encoded = None
    if encoded is None or levels_beyond(result, encoded, MAX_LEVELS):
        raise InvalidSpecError(
            f"The result of spec.before holds an integer beyond 64 bits, or is nested more than {MAX_LEVELS} levels"
            " deep: return such data as text."
        )
    return len(encoded)
