"""Reads JSON that a tenant's server sent, when what it becomes in memory is bounded.

A short text can become much: `[[],[],…]` takes three bytes for a list of sixty.
"""

import json
from typing import Any

from taskgroup.transport.shares import ANSWER_BYTES

_VALUE_BYTES = 80


def read_json(text: bytes, most_bytes: int = ANSWER_BYTES) -> Any:
    """The value; ValueError for what is no JSON, is nested too deeply, or takes more than `most_bytes`."""
    # What is inside of strings counts as well: too much is refused rather than too little.
    values = sum(map(text.count, (b",", b"[", b"{")))
    if len(text) + values * _VALUE_BYTES > most_bytes:
        raise ValueError("the text holds too many values")
    try:
        # json, not orjson: integers of any size must survive.
        return json.loads(text)
    except RecursionError:
        raise ValueError("the text is nested too deeply") from None
