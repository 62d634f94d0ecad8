"""The items of a matrix: every combination once, numbered by the order of the axes' names, and nothing stored."""

import itertools
import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.builders import NAME, spec
from support.compiled import compile_work
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.compilation import compile_steps
from taskgroup.core.items.work import MAX_MESSAGE_BYTES, Work

values = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b", 'quo"te', 1.5, [1], {"x": 1}])
axes = st.dictionaries(st.sampled_from("abcd"), st.lists(values, min_size=1, max_size=4), min_size=1, max_size=4)
parts = st.dictionaries(st.sampled_from("abcd"), values, min_size=1, max_size=3)


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    """A matrix whose exclusions match something, if not all."""
    named = draw(axes)
    entry = st.fixed_dictionaries({}, optional={name: st.sampled_from(of) for name, of in named.items()}).filter(bool)
    return {"axes": named, "exclude": draw(st.lists(entry, max_size=3)), "include": draw(st.lists(parts, max_size=3))}


def combined(matrix: dict[str, Any], **fields: Any) -> Work:
    return compile_work(spec(matrix=matrix, **fields), NAME)


def items(work: Work) -> list[Any]:
    filled = [work.call(index).args for index in range(work.total)]
    return [value for (value,) in filled]


def refusal(matrix: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(InvalidSpecError) as caught:
        combined(matrix, **fields)
    return str(caught.value)


def expected(matrix: dict[str, Any]) -> list[Any]:
    """The items by itertools, with every exclusion compared with every combination."""
    names, included = sorted(matrix["axes"]), list(matrix["include"])
    every = [dict(zip(names, of, strict=True)) for of in itertools.product(*(matrix["axes"][name] for name in names))]
    return [item for item in every if not any(excludes(part, item) for part in matrix["exclude"])] + included


def excludes(part: dict[str, Any], item: dict[str, Any]) -> bool:
    return all(orjson.dumps(item[name]) == orjson.dumps(value) for name, value in part.items())


@given(matrices())
def test_the_items_are_the_product_without_the_excluded_ones_and_then_the_included(matrix: dict[str, Any]) -> None:
    wanted = expected(matrix)
    assume(wanted)

    assert orjson.dumps(items(combined(matrix))) == orjson.dumps(wanted)


def test_the_last_axis_by_name_varies_fastest() -> None:
    assert items(combined({"axes": {"width": [64, 256], "path": ["b", "a"]}})) == [
        {"path": "b", "width": 64},
        {"path": "b", "width": 256},
        {"path": "a", "width": 64},
        {"path": "a", "width": 256},
    ]


def test_a_hundred_thousand_items_are_the_product_without_the_excluded_ones() -> None:
    matrix = {"axes": {"a": list(range(320)), "b": list(range(320))}, "exclude": [{"a": 5}, {"b": 7}, {"a": 9, "b": 9}]}
    work = combined(matrix)

    assert items(work) == expected({**matrix, "include": []})
    assert work.total == 319 * 319 - 1


def test_placeholders_reach_the_axes() -> None:
    work = combined({"axes": {"a": [{"x": 1}], "b": [2, 3]}}, template={"task": "t", "args": ["$(item.a.x)-$(item.b)"]})

    assert items(work) == ["1-2", "1-3"]


def test_an_exclusion_tells_one_from_true() -> None:
    assert items(combined({"axes": {"a": [1, True, 1.5]}, "exclude": [{"a": True}]})) == [{"a": 1}, {"a": 1.5}]


LONG = [{"name": "n" * 90, "more": "m"}, {"name": "n", "more": "m" * 90}, {"name": 'q"' * 50, "more": None}]


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from(LONG), min_size=1, max_size=4), min_size=1),
    st.lists(st.sampled_from(["$(item.{}.name)", "$(item.{}.more)", "text $(item.{}.name)", "$(item)"])),
)
def test_the_longest_message_is_known_exactly(named: dict[str, Any], forms: list[str]) -> None:
    args = [form.replace("{}", name) for form in forms for name in named]
    template = {"task": "t", "args": args}
    work = combined({"axes": named}, template=template)
    longest = max(message_bytes({"axes": named}, args, index) for index in range(work.total))

    assert compile_work(spec(matrix={"axes": named}, template=template), NAME, longest).total == work.total
    with pytest.raises(InvalidSpecError, match="would have"):
        compile_work(spec(matrix={"axes": named}, template=template), NAME, longest - 1)


def message_bytes(matrix: dict[str, Any], args: list[Any], index: int) -> int:
    """How long the message of a combination is, by a group that has it as its only item, at the same index."""
    filled = combined(matrix, template={"task": "t", "args": args}).call(index).args
    return compile_work(spec(items=[0], template={"task": "t", "args": filled}), NAME).message_bytes


def test_the_digits_of_the_last_index_count() -> None:
    """The indexes 100 and 101 are in no sample."""
    matrix, args = {"axes": {"a": list(range(6)), "b": list(range(17))}}, ["$(index)" * 1_000]
    wanted = spec(matrix=matrix, template={"task": "t", "args": args})
    last = message_bytes(matrix, args, 101)

    assert compile_work(wanted, NAME, last).total == 102
    with pytest.raises(InvalidSpecError):
        compile_work(wanted, NAME, last - 1)


def test_the_longest_values_of_all_axes_make_the_longest_message() -> None:
    """Each of them alone would do, and no sample has both."""
    named = {"a": ["x" * 500_000, ""], "b": ["", "y" * 500_000]}

    assert "The message of the longest values of spec.matrix would have 1,334," in refusal({"axes": named})


def test_a_value_that_lacks_what_a_placeholder_names_is_found_wherever_it_is() -> None:
    matrix: dict[str, Any] = {"axes": {"a": [{"x": 1}] * 9 + [{}], "b": [1, 2, 3]}, "exclude": [{"a": {}, "b": 1}]}
    template = {"task": "t", "args": ["$(item.a.x)"]}

    assert "Item 27 has no 'a.x'" in refusal(matrix, template=template)
    assert combined({**matrix, "exclude": [{"a": {}}]}, template=template).total == 27
    assert "Item 30 has no 'a.x'" in refusal({"axes": {"a": [{"x": 1}] * 30}, "include": [{"b": 1}]}, template=template)


@given(matrices())
def test_every_value_of_an_item_is_in_a_sample(matrix: dict[str, Any]) -> None:
    """A template that asks for the value of one item is refused unless a sample has it."""
    wanted = expected(matrix)[: -len(matrix["include"]) or None]
    assume(wanted)
    for name in matrix["axes"]:
        marked = {**matrix, "include": [], "axes": {**matrix["axes"], name: marked_values(matrix["axes"][name])}}
        marked["exclude"] = [part for part in matrix["exclude"] if name not in part]
        assert "has no" in refusal(marked, template={"task": "t", "args": [f"$(item.{name}.present)"]})


def marked_values(of: list[Any]) -> list[Any]:
    return [{"present": number} for number in range(len(of))] + [{"absent": True}]


HUGE = {f"axis{number}": list(range(1_000)) for number in range(8)}


def test_a_product_beyond_all_bounds_is_refused_at_once() -> None:
    steps = compile_steps(spec(matrix={"axes": HUGE}), NAME, MAX_MESSAGE_BYTES)

    with pytest.raises(InvalidSpecError, match=r"1,000,000,000,000,000,000,000,000 items .* 10,000,000 are possible"):
        next(steps)


def test_ten_million_combinations_take_little_memory_and_small_steps() -> None:
    named = {"a": list(range(1_000)), "b": list(range(1_000)), "c": list(range(10))}
    exclude = [{"b": number, "c": number % 10} for number in range(20)]
    steps, longest = compile_steps(spec(matrix={"axes": named, "exclude": exclude}), NAME, MAX_MESSAGE_BYTES), 0.0
    tracemalloc.start()
    try:
        work, longest = timed(steps)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert work.total == 10_000_000 - 20_000
    assert work.call(work.total - 1).args == [{"a": 999, "b": 999, "c": 9}]
    assert peak < 5_000_000
    assert longest < 0.5


def timed(steps: Any) -> tuple[Work, float]:
    """The work, and which part of all its time the longest step took."""
    longest, begin = 0.0, time.process_time()
    while True:
        start = time.process_time()
        try:
            next(steps)
        except StopIteration as end:
            return end.value, longest / (time.process_time() - begin)
        longest = max(longest, time.process_time() - start)


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (
            {"axes": {"a": [1], "b": [2]}, "exclude": [{"a": 1}, {"b": 2}]},
            "spec.matrix.exclude leaves no combination: take an entry away, or add items to spec.matrix.include.",
        ),
        (
            {"axes": {"a": [1], "b": [2]}, "exclude": [{"b": 2, "c": 1}]},
            "spec.matrix.exclude[0] names the axis 'c': there are a, b.",
        ),
        (
            {"axes": {"a": [1], "b": [2]}, "exclude": [{"a": 1, "b": "2"}]},
            "spec.matrix.exclude[0] excludes nothing: the axis 'b' has no value \"2\".",
        ),
    ],
)
def test_what_its_author_cannot_have_meant_is_refused(matrix: dict[str, Any], sentence: str) -> None:
    assert refusal(matrix) == sentence


def test_included_items_alone_are_items() -> None:
    assert items(combined({"axes": {"a": [1]}, "exclude": [{"a": 1}], "include": [{"b": 2}]})) == [{"b": 2}]


MATRIX: dict[str, Any] = {"axes": {"a": [1, 2], "b": [None, {"x": 1}]}, "exclude": [{"a": 1, "b": None}]}


@pytest.mark.parametrize(
    "edit",
    [
        {"axes": {"a": [2, 1], "b": [None, {"x": 1}]}},
        {"axes": {"a": [1, 2], "b": [None, {"x": 1, "y": None}]}},
        {"axes": {"a": [1, 2, 3], "b": [None, {"x": 1}]}},
        {"exclude": []},
        {"include": [{"a": 1}]},
    ],
    ids=["order of values", "a null more", "another value", "exclude", "include"],
)
def test_a_matrix_has_a_fingerprint_of_all_its_parts(edit: dict[str, Any]) -> None:
    assert combined(MATRIX).digest(3) != combined({**MATRIX, **edit}).digest(3)


def test_the_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    turned = {"exclude": [{"b": None, "a": 1}], "axes": {"b": [None, {"x": 1}], "a": [1, 2]}}

    assert combined(MATRIX).digest(3) == combined(turned).digest(3)
