"""Turns pydantic's JSON schema into a structural schema of Kubernetes.

The API server takes a narrow dialect: no references, no `null` alternatives, no titles. What it assumes anyway is left
out, because a definition has to stay small: lists are atomic, and bounds that fit into 32 bits need no format. A field
without a description is an error, because the CRD is what `kubectl explain` shows.
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
UNTYPED: Schema = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
"""Any JSON value, null included."""
ELEMENT, VALUE = "[]", "{}"
"""How paths write an element of a list and a value of a map."""
SEE = "See "
"""Before the path of the place that describes the fields of an object."""
LONG = 60
"""Characters of a description from which a reference is shorter."""
DROPPED = ("title", "$defs", "const")


class UndescribedFieldError(Exception):
    """A field of a resource model has no description."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, every reference written out.

    Raises UndescribedFieldError, which names the field, when a description is missing.
    """
    raw = model.model_json_schema(by_alias=True)
    schema = _convert(_inline(raw, raw.get("$defs", {})))
    for path, field in nodes(schema):
        if not path.endswith((ELEMENT, VALUE)) and not field.get("description"):
            raise UndescribedFieldError(f"{model.__name__}: {path} has no description: add one to its Field().")
    return schema


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema at any depth as (path, schema), parents first, the whole one included as the path "".

    A path names fields, elements of lists and values of maps: `workers.env[].name`, `workers.nodeSelector{}`.
    """
    yield path, schema
    for inner, part in _parts(schema, path):
        yield from nodes(part, inner)


def _parts(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}" if path else name, field
    for key, mark in (("items", ELEMENT), ("additionalProperties", VALUE)):
        if isinstance(schema.get(key), dict):
            yield path + mark, schema[key]


def describe_once(schema: Schema) -> None:
    """Leaves the descriptions of the fields of equal objects at one place, and says at the others which that is.

    It is the least deep one, the first of several. Else a model that is used often fills the definition.
    """
    places: dict[str, str] = {}
    waiting = deque([("", schema)])
    while waiting:
        path, node = waiting.popleft()
        fields = json.dumps(node.get("properties"))
        if "properties" in node and places.setdefault(fields, path) != path:
            _refer(node, path, places[fields])
        elif _is_said_elsewhere(node, path, places):
            place = places[_text(node, path)]
            for _, part in nodes(node):
                part.pop("description", None)
            node["description"] = f"{SEE}{explained(place)}."
        else:
            waiting.extend(_parts(node, path))


def _is_said_elsewhere(node: Schema, path: str, places: dict[str, str]) -> bool:
    """Whether a field of the same name says the same at length at another place, though its object has other fields."""
    if "properties" in node or len(node.get("description", "")) < LONG:
        return False
    return places.setdefault(_text(node, path), path) != path


def _text(node: Schema, path: str) -> str:
    return f"{path.rpartition('.')[2]} {json.dumps(node)}"


def _refer(node: Schema, path: str, place: str) -> None:
    """Replaces what is said of the fields of the node by the place where it is said."""
    own = "" if path.endswith((ELEMENT, VALUE)) else f"{node['description']} "
    for _, part in nodes(node):
        part.pop("description", None)
    node["description"] = f"{own}{SEE}{explained(place)}."


def explained(path: str) -> str:
    """The path as `kubectl explain` takes it."""
    return path.replace(ELEMENT, "").replace(VALUE, "")


def _inline(node: Any, definitions: Mapping[str, Schema]) -> Any:
    """The node with `$ref` replaced by what it names; keys beside the reference win."""
    if isinstance(node, list):
        return [_inline(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    beside = {key: _inline(value, definitions) for key, value in node.items() if key != "$ref"}
    if "$ref" not in node:
        return beside
    return {**_inline(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions), **beside}


def _convert(schema: Schema) -> Schema:
    """One inlined node in the structural dialect."""
    schema = _typed(without_null(schema))
    node = {key: value for key, value in schema.items() if key not in DROPPED}
    if not node.get("properties"):
        node.pop("properties", None)
    else:
        node["properties"] = {name: _convert(field) for name, field in node["properties"].items()}
    extra = node.pop("additionalProperties", False)
    if isinstance(extra, dict) and extra:
        node["additionalProperties"] = _convert(extra)
    elif extra:
        node["x-kubernetes-preserve-unknown-fields"] = True
    if node.get("type") == "array":
        node["items"] = _convert(node["items"]) if node.get("items") else dict(UNTYPED)
    return node


def without_null(schema: Schema) -> Schema:
    """`anyOf: [X, null]` folded into X: an absent field is absent, never null."""
    schema = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    alternatives = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    if len(alternatives) != 1:
        return schema
    return {**alternatives[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _typed(schema: Schema) -> Schema:
    """Constants become enums of one; integers get a format, and texts a length, where nothing else says as much."""
    if "const" in schema:
        return {**schema, "enum": [schema["const"]]}
    if schema.get("minLength") == 1 and not re.fullmatch(schema.get("pattern", ""), ""):
        return {key: value for key, value in schema.items() if key != "minLength"}
    is_small = schema.get("minimum", -math.inf) >= INT32_MIN and schema.get("maximum", math.inf) <= INT32_MAX
    return schema if schema.get("type") != "integer" or is_small else {"format": "int64", **schema}
