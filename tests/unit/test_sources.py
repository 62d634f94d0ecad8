"""Where items come from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import spec
from taskgroup.api.spec import Sequence, TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.matrix import MatrixItems
from taskgroup.core.items.sources import InlineItems, Items, SequenceItems, items_of


def pieces(items: Items) -> list[bytes]:
    return [items.piece(position) for position in range(items.pieces)]


def source(wanted: TaskGroupSpec) -> Items:
    """The source, after all of its steps."""
    steps = items_of(wanted)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            items: Items = end.value
            return items


def test_the_spec_names_its_source() -> None:
    assert source(spec(items=["a"])) == InlineItems(["a"])
    assert source(spec(3)) == SequenceItems(Sequence(count=3))
    assert isinstance(source(spec(matrix={"axes": {"a": [1]}})), MatrixItems)


def test_a_spec_without_a_source_is_refused() -> None:
    with pytest.raises(InvalidSpecError, match="exactly one of"):
        source(spec().model_copy(update={"sequence": None}))


@given(st.integers(-100, 100), st.integers(1, 50), st.integers(-9, 9).filter(bool))
def test_a_sequence_is_a_range(start: int, count: int, step: int) -> None:
    items = SequenceItems(Sequence(start=start, count=count, step=step))

    assert [items.value(index) for index in range(len(items))] == list(range(start, start + count * step, step))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], True),
        ([1], ["1"], False),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
    ],
    ids=["order of keys", "type", "order", "number"],
)
def test_inline_items_have_a_fingerprint_of_each(one: list[Any], other: list[Any], same: bool) -> None:
    assert (pieces(InlineItems(one)) == pieces(InlineItems(other))) is same
    assert len(pieces(InlineItems(one))) == len(one)


def test_a_sequence_has_one_fingerprint_that_does_not_depend_on_its_length() -> None:
    def fingerprint(**fields: int) -> list[bytes]:
        return pieces(SequenceItems(Sequence(**fields)))

    assert fingerprint(count=5) == fingerprint(count=9)
    assert len({*fingerprint(count=5), *fingerprint(count=5, start=1), *fingerprint(count=5, step=2)}) == 3
