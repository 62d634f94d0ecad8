"""The table of the chart's values: up to date, and refused when values and their schema do not fit together."""

from typing import Any

import generate_chart_readme as generator
import pytest
from generate_chart_readme import UndescribedValueError

TEXT = {"type": "string", "description": "A text."}


def rows(values: dict[str, Any], properties: dict[str, Any], definitions: dict[str, Any] | None = None) -> list[str]:
    return list(generator._rows(values, {"properties": properties}, definitions or {}, ""))  # noqa: SLF001


def test_the_table_is_up_to_date() -> None:
    assert {path: path.read_text() for path in generator.rendered()} == generator.rendered()


def test_a_group_says_what_it_is_about_before_its_values() -> None:
    group = {"description": "A group.", "properties": {"b": TEXT}}
    assert rows({"a": {"b": "x|y"}}, {"a": group}) == ["| **`a`** |  | A group. |", r'| `a.b` | `"x\|y"` | A text. |']


def test_a_value_by_a_definition_keeps_its_own_text() -> None:
    node = {"description": "Mine.", "allOf": [{"$ref": "#/definitions/text"}]}
    assert rows({"a": ""}, {"a": node}, {"text": TEXT}) == ['| `a` | `""` | Mine. |']


@pytest.mark.parametrize(
    ("values", "properties", "message"),
    [
        ({"a": "", "b": ""}, {"a": TEXT}, "values.schema.json lacks b."),
        ({"a": ""}, {"a": TEXT, "b": TEXT}, "values.yaml lacks b."),
        ({"a": {}}, {"a": {"description": "A group.", "properties": {"b": TEXT}}}, "values.yaml lacks b below a."),
        ({"a": ""}, {"a": {"type": "string"}}, "values.schema.json has no description of a."),
    ],
)
def test_what_one_file_lacks_is_named(values: dict[str, Any], properties: dict[str, Any], message: str) -> None:
    with pytest.raises(UndescribedValueError, match=f"^{message}$"):
        rows(values, properties)
