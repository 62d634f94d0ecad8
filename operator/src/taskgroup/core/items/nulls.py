"""Nulls that never arrived: client-side `kubectl apply` takes null in an object for the wish to remove the field.

The items run without them, and nobody says so; but kubectl leaves a copy of what the user wrote in an annotation.
"""

from collections.abc import Mapping
from typing import Any

import orjson

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def dropped_nulls(annotations: Mapping[str, str], spec: Mapping[str, Any]) -> int:
    """How many nulls in objects the user applied and the stored spec lacks; 0 when nobody can tell."""
    text = annotations.get(APPLIED, "")
    if "null" not in text:
        return 0
    try:
        applied = orjson.loads(text)
    except orjson.JSONDecodeError:
        return 0
    written = applied.get("spec") if isinstance(applied, dict) else None
    return max(0, _nulls_in_objects(written) - _nulls_in_objects(spec))


def _nulls_in_objects(value: object) -> int:
    """Without recursion: people may nest as deeply as they like."""
    count, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            count += sum(one is None for one in part.values())
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return count
