"""What a message may hold is known, and refused, before anything of it is made."""

import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import NAME, spec
from support.compiled import compile_work
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.placeholders import Occurrences, Scope, compile_value
from taskgroup.core.items.sizes import filled_size

text = st.text(st.characters(codec="utf-8"), max_size=8)
tokens = st.sampled_from(["$(item)", "$(index)", "$(group.name)", "$$(", "$(item.a)", "plain", 'quo"te\n\\'])
strings = st.lists(tokens | text.filter(lambda part: "$" not in part and "(" not in part), max_size=5).map("".join)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


@given(nested(strings | scalars), nested(text | scalars), st.integers(0, 10**7))
def test_the_size_that_is_reckoned_is_that_of_the_filled_value(template: Any, value: Any, index: int) -> None:
    occurrences, scope = Occurrences(), Scope(index, NAME, {"a": value})
    filler = compile_value(template, occurrences)
    filled = filler(scope) if filler else template

    assert filled_size(template, occurrences, "spec.template").bytes_for(scope) == len(orjson.dumps(filled))


def refusal(**fields: Any) -> str:
    with pytest.raises(InvalidSpecError) as caught:
        compile_work(spec(**fields), NAME)
    return str(caught.value)


def test_a_large_item_that_a_template_repeats_is_refused_before_it_is_filled() -> None:
    """One item of 900,000 bytes in 1,000 arguments made a message of 900 MB, and the operator was killed for it."""
    fields = {"items": ["A" * 900_000], "template": {"task": "t", "args": ["$(item)"] * 1_000}}
    tracemalloc.start()
    try:
        sentence = refusal(**fields)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sentence.startswith("The message of item 0 would have 1,200,0"), sentence
    assert "1,048,576 are allowed" in sentence
    assert peak < 20_000_000


def test_the_item_that_is_too_long_is_named() -> None:
    assert "item 2 would" in refusal(items=["a", "b", "C" * 800_000], template={"task": "t", "args": ["$(item)"]})
    assert "item 1 would" in refusal(tasks=[{"task": "t"}, {"task": "t", "kwargs": {"a": ["b" * 800_000]}}])


def test_headers_count_as_part_of_the_message() -> None:
    headers = {"k" * 1_100_000: "v"}
    assert "item 0 would" in refusal(items=[1], template={"task": "t", "options": {"headers": headers}})


def test_a_sequence_is_judged_by_its_longest_number() -> None:
    args = ["$(item)" * 9_999] * 1
    few = {"task": "t", "args": args}
    assert compile_work(spec(sequence={"count": 10}, template=few), NAME).total == 10
    with pytest.raises(InvalidSpecError, match="item 0 would"):
        compile_work(spec(sequence={"count": 2, "start": 2**53}, template=few), NAME, 200_000)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["$(item)" * 10_001], "spec.template has 10001 placeholders, 1 of them different"),
        ([f"$(item.{number})" for number in range(257)], "257 of them different"),
    ],
)
def test_a_template_that_takes_long_to_fill_is_refused(args: list[str], words: str) -> None:
    assert words in refusal(items=[[0] * 300], template={"task": "t", "args": args})


def test_an_item_that_is_too_deep_where_the_template_puts_it_is_refused() -> None:
    item: Any = "core"
    for _ in range(200):
        item = [item]
    template: Any = "$(item)"
    for _ in range(100):
        template = [template]

    assert compile_work(spec(items=[item], template={"task": "t", "args": ["$(item)"]}), NAME).total == 1
    assert "item 0 are nested too deeply" in refusal(items=[item], template={"task": "t", "args": [template]})
