"""Describes TaskGroups: one line while they run, a paragraph when they have ended."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Object = dict[str, Any]
WIDTH = 110
CHECKED_CONDITIONS = ("ConfigurationValid", "BackendReachable", "WorkersReady")
NORMAL_REASONS = ("WorkersStarting",)
"""Reasons of False conditions that are part of a normal start."""


def finished(group: Object) -> bool:
    """Whether the group has ended, either way."""
    return _condition(group, "Finished").get("status") == "True"


def progress(groups: Mapping[str, Object]) -> str:
    """`name 3/10` for each group, with the message of its first condition that is not as it should be."""
    return "   ".join(_progress(name, group) for name, group in sorted(groups.items()))


def _progress(name: str, group: Object) -> str:
    status = group.get("status", {})
    conditions = [_condition(group, kind) for kind in CHECKED_CONDITIONS]
    trouble = next((condition["message"] for condition in conditions if _is_bad(condition)), "")
    return f"{name} {status.get('progress', 'not seen yet')}" + (f" ({trouble})" if trouble else "")


def _is_bad(condition: Object) -> bool:
    return condition.get("status") == "False" and condition.get("reason") not in NORMAL_REASONS


def _condition(group: Object, kind: str) -> Object:
    conditions = group.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == kind), {})


def story(name: str, group: Object, results: Sequence[Object], shown: int) -> str:
    """The outcome of a group, its failures, its first results, and what its callback returned."""
    status = group["status"]
    outcome = (
        f"{status['state']} after {_seconds(status)} s, {status['succeeded']} of {status['total']} items succeeded"
    )
    failures = [f"  {failure_in_words(failure)}" for failure in status.get("failures", [])]
    values = [f"  item {result['index']}: {_value(result)}" for result in results if "result" in result]
    hidden, namespace = len(values) - shown, group["metadata"]["namespace"]
    more = (
        [f"  … and {hidden} more: .venv/bin/python -m taskgroup results {name} --namespace {namespace}"]
        if hidden > 0
        else []
    )
    result = status.get("callback", {}).get("result")
    callback = [_short(f"  callback: {result}")] if result else []
    return "\n".join([f"\n{name}: {outcome}", *failures, *values[:shown], *more, *callback])


def failure_in_words(failure: Object) -> str:
    """`2 items failed (3,7): ValueError: no such picture`."""
    items = "1 item" if failure["count"] == 1 else f"{failure['count']} items"
    return _short(f"{items} failed ({failure.get('indexes', '?')}): {failure['reason']}: {failure.get('message', '')}")


def _seconds(status: Object) -> int:
    start, end = (datetime.fromisoformat(status[key]) for key in ("startTime", "completionTime"))
    return round((end - start).total_seconds())


def _value(result: Object) -> str:
    return _short(json.dumps(result["result"], ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
