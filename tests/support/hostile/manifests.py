"""TaskGroups that nobody would write: made from the schema of the committed definition, whole and broken."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from support.crd.bounds import schema
from support.crd.objects import ABSENT

Json = Any
SOURCES = ("items", "sequence", "matrix", "tasks")
MOST_PODS = 2
"""The local controllers make pods for whatever is asked."""

text = st.text(max_size=12) | st.sampled_from(
    ["$(item)", "$(item.a.0)", "$(index)", "$$(", "$(", "..", "\x00", "é" * 20]
)
numbers = st.integers(-5, 5) | st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, 2**70, -(2**63)]) | st.floats(0, 1e30)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)


def nested(levels: int) -> Json:
    """Lists in each other."""
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


junk = values | st.sampled_from([nested(300), "A" * 100_000, [0] * 20_000, {"a" * 300: {}}, {"": ""}, [[]] * 5_000])
"""A value of any type and size, in place of a part of a manifest."""


def conforming(node: dict[str, Any]) -> st.SearchStrategy[Json]:
    """Values that the schema lets pass; rules in CEL may refuse them."""
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return st.sampled_from(["500m", 1, "64Mi", "0.5", "1e3"])
    kind = node.get("type")
    if kind == "string":
        return _string(node)
    if kind == "integer":
        least, most = node.get("minimum", -(2**31)), node.get("maximum", 2**31 - 1)
        return st.sampled_from(sorted({least, most, min(most, max(least, 1))})) | st.integers(least, most)
    if kind == "boolean":
        return st.booleans()
    if kind == "array":
        return st.lists(conforming(node["items"]), min_size=node.get("minItems", 0), max_size=3)
    return _object(node) if kind == "object" else values


def _string(node: dict[str, Any]) -> st.SearchStrategy[Json]:
    if "pattern" in node:
        return st.from_regex(node["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii"))
    return st.text(min_size=node.get("minLength", 0), max_size=min(20, node.get("maxLength", 20))) | st.just("a")


def _object(node: dict[str, Any]) -> st.SearchStrategy[Json]:
    least = node.get("minProperties", 0)
    if isinstance(node.get("additionalProperties"), dict):
        return st.dictionaries(text, conforming(node["additionalProperties"]), min_size=least, max_size=3)
    if "properties" not in node:
        return st.dictionaries(text, values, min_size=least, max_size=3)
    required = set(node.get("required", ()))
    parts = {name: conforming(part) for name, part in node["properties"].items()}
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in required},
        optional={name: part for name, part in parts.items() if name not in required},
    )


HUGE_AXES = {f"axis{number}": list(range(1_000)) for number in range(8)}
"""10^24 combinations in 40 KB."""
_SPEC = conforming(schema()["properties"]["spec"])


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Json]:
    """A spec that the schema lets pass, most of them with a broker that is there."""
    spec: dict[str, Json] = draw(_SPEC)
    source = draw(st.sampled_from(SOURCES))
    given = draw(conforming(schema()["properties"]["spec"]["properties"][source]))
    spec = {name: part for name, part in spec.items() if name not in SOURCES} | {source: given}
    if source == "matrix" and draw(st.booleans()):
        given["axes"] = HUGE_AXES
    if source == "tasks":
        spec.pop("template", None)
    else:
        spec.setdefault("template", {"task": "demo.noop", "args": ["$(item)"]})
    spec["workers"]["maxReplicas"] = MOST_PODS
    if draw(st.integers(0, 2)):
        spec["broker"] = {"secretKeyRef": {"name": "redis"}}
        spec.pop("resultBackend", None)
    return spec


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Json]:
    """A manifest of which up to three parts are replaced by anything, or taken away."""
    manifest = {"spec": draw(specs())}
    for _ in range(draw(st.integers(0, 3))):
        places = [place for place in _places(manifest) if len(place) > 1 and place[-1] != "maxReplicas"]
        if places:
            manifest = _replaced(manifest, draw(st.sampled_from(places)), draw(st.just(ABSENT) | junk))
    return manifest


def _places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children: list[tuple[Any, Json]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value[:5]))
    for key, child in children:
        yield (*path, key)
        if len(path) < 8:
            yield from _places(child, (*path, key))


def _replaced(manifest: dict[str, Json], place: tuple[Any, ...], value: Json) -> dict[str, Json]:
    whole = deepcopy(manifest)
    parent: Json = whole
    for step in place[:-1]:
        parent = parent[step]
    if value is ABSENT:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return whole
