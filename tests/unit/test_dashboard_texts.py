"""What panels tell a reader to do: the fields, values and other panels that their texts name are there."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards.collection import rendered

ROOT = Path(__file__).parents[2]
DASHBOARDS: dict[str, Any] = {path.stem: json.loads(text) for path, text in rendered().items()}
TITLES = {dashboard["title"].removeprefix("TaskGroup / ") for dashboard in DASHBOARDS.values()}
_SEE = re.compile(r"\b(?i:see|look at|then at|compare)(?: the( dashboards?))? (?=([A-Z][^.;:]+))")

each = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS.keys())


def fields(schema: Any, parent: str = "") -> Iterator[tuple[str, str]]:
    """Each field of a definition with the one that it is in."""
    for name, inner in schema.get("properties", {}).items():
        yield parent, name
        yield from fields(inner, name)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from fields(schema[part], parent)


def values(given: Any, parent: str = "") -> Iterator[tuple[str, str]]:
    """The same of the chart's values."""
    for name, inner in given.items() if isinstance(given, dict) else ():
        yield parent, name
        yield from values(inner, name)


def words() -> set[tuple[str, str]]:
    (version,) = yaml.safe_load((ROOT / "crds/taskgroups.yaml").read_text())["spec"]["versions"]
    chart = yaml.safe_load((ROOT / "charts/taskgroup-operator/values.yaml").read_text())
    return {*fields(version["schema"]["openAPIV3Schema"]), *values(chart)}


WORDS = words()


def texts(dashboard: Any) -> dict[str, str]:
    return {panel["title"]: panel.get("description", "") for panel in dashboard["panels"] if panel["type"] != "row"}


def is_there(word: str) -> bool:
    """A command, or the path of a field or value."""
    if word.startswith("kubectl "):
        return True
    path = word.split(".")
    known = {name for _, name in WORDS}
    return path[0] in known and all(step in WORDS for step in pairwise(path))


@each
def test_fields_and_values_that_a_text_names_are_there(dashboard: Any) -> None:
    named = {(title, word) for title, text in texts(dashboard).items() for word in re.findall(r"`([^`]+)`", text)}
    assert named, "a dashboard that never says what to change"
    assert not [(title, word) for title, word in named if not is_there(word)]


@each
def test_panels_and_dashboards_that_a_text_names_are_there(dashboard: Any) -> None:
    there = texts(dashboard)
    for title, text in there.items():
        for is_dashboard, named in _SEE.findall(text):
            assert named.startswith(tuple(TITLES if is_dashboard else there)), f"{title} leads to {named!r}"


def test_a_word_that_is_no_field_is_noticed() -> None:
    assert is_there("status.failed")
    assert is_there("redis.maxMemory")
    assert not is_there("keepSecondsAfterFinished")
    assert not is_there("status.maxMemory")
