"""The chart's values: each is described, and wrong ones are refused by name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.helm import CHART, HelmError, render


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"logLevel": "chatty"}, "'/logLevel': value must be one of"),
        ({"watchNamespaces": ["Team A"]}, "'/watchNamespaces/0'"),
        ({"watchNamespaces": "team-a"}, "'/watchNamespaces': got string, want array"),
        ({"image": {"digest": "abc"}}, "'/image/digest'"),
        ({"redis": {"password": "a/b"}}, "'/redis/password'"),
        ({"redis": {"maxMemory": 5}}, "'/redis/maxMemory': got number, want string"),
        ({"redis": {"persistence": {"size": "big"}}}, "'/redis/persistence/size'"),
        ({"broker": {"existingSecret": "mine"}}, "set redis.enabled=false"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError) as refusal:
        render(values)
    assert message in str(refusal.value)


def test_every_value_is_in_the_schema_and_the_readme() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    described = dict(leaves(schema, schema["definitions"], ""))
    assert [path for path, description in described.items() if not description] == []
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| (.+) \|$", (CHART / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == {path: text for path, text in described.items() if path != "global"}


def leaves(schema: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Path and description of each value that is not a group of values."""
    for name, child in schema["properties"].items():
        (reference,) = child.get("allOf", [{"$ref": ""}])
        properties = {**definitions.get(reference["$ref"].rpartition("/")[2], {}), **child}
        if "properties" in properties:
            yield from leaves(properties, definitions, f"{path}{name}.")
        else:
            yield f"{path}{name}", child.get("description", "")
