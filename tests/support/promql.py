"""Which series a PromQL expression reads, and which labels it relies on: as much of the language as the rules use.

A name that is neither a word of the language nor a label counts as a series: nothing misspelt is passed over.
"""

import re
from dataclasses import dataclass

_OPERATORS = {"and", "or", "unless", "offset", "sum", "max", "min", "avg", "count", "group", "topk"}
_FUNCTIONS = {"rate", "increase", "delta", "absent", "time", "last_over_time", "min_over_time", "histogram_quantile"}
_NAME = r"[a-zA-Z_][a-zA-Z0-9_:]*"
_SELECTOR = re.compile(rf"({_NAME})\s*(\{{[^}}]*\}})?")
_MATCHER = re.compile(rf'({_NAME})\s*((?:=~|!~|!=|=)\s*"[^"]*")')
_LABEL_LIST = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_DURATION = re.compile(r"\[[^\]]*\]|\b\d[\da-z.]*\b")


@dataclass(frozen=True, slots=True)
class Selector:
    """A series and the labels that the expression asks of it."""

    series: str
    matchers: dict[str, str]
    """What each label is compared with."""


def selectors(expression: str) -> list[Selector]:
    """Every series in the expression, as often as it stands there."""
    matched = _SELECTOR.findall(_without_durations(_LABEL_LIST.sub("", expression)))
    known = _OPERATORS | _FUNCTIONS
    return [Selector(name, dict(_MATCHER.findall(braces))) for name, braces in matched if name not in known]


def grouping_labels(expression: str) -> set[str]:
    """Labels that the expression adds up by or compares on."""
    return set(re.findall(_NAME, " ".join(_LABEL_LIST.findall(expression))))


def _without_durations(expression: str) -> str:
    """Numbers and times gone, except within braces."""
    parts = re.split(r"(\{[^}]*\})", expression)
    return "".join(part if part.startswith("{") else _DURATION.sub("", part) for part in parts)
