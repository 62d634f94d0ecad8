"""Placeholders: what stands in a template, and what an item makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.placeholders import Occurrences, Scope, compile_value

PICTURE = {"url": "a.jpg", "size": {"width": 64}, "tags": ["red", "blue"], "alt": None, "hot": True}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def fill(template: Any, item: Any = PICTURE, index: int = 3) -> Any:
    filler = compile_value(template, Occurrences())
    return filler(Scope(index, "thumbnails", item)) if filler else template


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$(item)", PICTURE),
        ("$(item.url)", "a.jpg"),
        ("$(item.size)", {"width": 64}),
        ("$(item.size.width)", 64),
        ("$(item.tags.1)", "blue"),
        ("$(item.alt)", None),
        ("$(item.hot)", True),
        ("$(index)", 3),
        ("$(group.name)", "thumbnails"),
    ],
)
def test_alone_it_keeps_its_type(template: str, filled: Any) -> None:
    value = fill(template)

    assert value == filled
    assert type(value) is type(filled)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("out/$(index).jpg", "out/3.jpg"),
        ("$(group.name)-$(index)", "thumbnails-3"),
        ("$(item.url)?w=$(item.size.width)", "a.jpg?w=64"),
        ("alt: $(item.alt), hot: $(item.hot)", "alt: null, hot: true"),
        ("tags $(item.tags)", 'tags ["red","blue"]'),
        (" $(index)", " 3"),
    ],
)
def test_inside_text_it_becomes_text(template: str, filled: str) -> None:
    assert fill(template) == filled


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$$(item)", "$(item)"),
        ("$$(item) costs $(index)$", "$(item) costs 3$"),
        ("$$$(index)", "$$(index)"),
        ("$index, $ (index), 5$", "$index, $ (index), 5$"),
        ("", ""),
    ],
)
def test_dollars_that_are_no_placeholder(template: str, filled: str) -> None:
    assert fill(template) == filled


def test_reaches_into_lists_and_objects_and_leaves_the_rest() -> None:
    template = {"where": ["$(item.url)", {"n": "$(index)"}], "fixed": [1, None, "x"]}

    assert fill(template) == {"where": ["a.jpg", {"n": 3}], "fixed": [1, None, "x"]}


@pytest.mark.parametrize("template", ["plain", 5, None, True, [1, ["x"]], {"a": {"b": "c"}}, [], {}])
def test_without_placeholders_nothing_needs_filling(template: Any) -> None:
    assert compile_value(template, Occurrences()) is None


@pytest.mark.parametrize("name", ["itme", "group", "group.uid", "items.0", "index.x", "", "item[0]", " item "])
def test_an_unknown_name_is_refused_before_any_item_is_filled(name: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        compile_value({"a": [f"$({name})"]}, Occurrences())

    assert f"$({name})" in str(caught.value)
    assert "use $(item)" in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere", "size.height", "tags.2", "tags.-1", "tags.red", "url.0", "alt.x", ""])
def test_an_unknown_path_is_refused_by_index(path: str) -> None:
    with pytest.raises(InvalidSpecError, match="Item 3 has no") as caught:
        fill(f"x $(item.{path})")

    assert f"$(item.{path})" in str(caught.value)


def test_tasks_have_no_item() -> None:
    filler = compile_value("$(item)", Occurrences())
    assert filler is not None

    with pytest.raises(InvalidSpecError, match=r"no meaning in tasks\[7\]"):
        filler(Scope(7, "thumbnails"))


@given(json_values)
def test_any_item_comes_through_unchanged(item: Any) -> None:
    assert fill(["$(item)"], item) == [item]


@given(json_values)
def test_what_an_item_says_is_never_read_as_a_placeholder(item: Any) -> None:
    filled = fill("a $(item) b", {"$(index)": [item, "$(nowhere)"]})

    assert isinstance(filled, str)
    assert "$(nowhere)" in filled
    assert "$(index)" in filled


@given(st.text())
def test_any_text_is_either_a_template_or_a_clear_refusal(text: str) -> None:
    try:
        filler = compile_value(text, Occurrences())
    except InvalidSpecError:
        return
    assert filler is not None or "$(" not in text


def test_a_position_of_thousands_of_digits_is_told_to_be_missing() -> None:
    filler = compile_value(f"$(item.{'9' * 5000})", Occurrences())
    assert filler is not None
    with pytest.raises(InvalidSpecError, match="Item 3 has no"):
        filler(Scope(3, "group", [1]))
