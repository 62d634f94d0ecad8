"""The items of a group, compiled from its spec."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import NAME, indexes, spec, work
from support.compiled import compile_work
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.work import Work


def of_items(*values: Any, **leaf: Any) -> Work:
    return work(spec(items=list(values), template={"task": "shop.send", "args": ["$(item)"]} | leaf))


def of_tasks(*priorities: int) -> Work:
    return work(spec(tasks=[{"task": f"t{n}", "options": {"priority": p}} for n, p in enumerate(priorities)]))


def test_inline_items_fill_the_template() -> None:
    compiled = of_items({"url": "a.jpg"}, {"url": "b.jpg"}, args=["$(item.url)"], kwargs={"n": "$(index)"})

    assert compiled.total == 2
    assert compiled.call(1).args == ["b.jpg"]
    assert compiled.call(1).kwargs == {"n": 1}
    assert compiled.call(1).leaf.task == "shop.send"


def test_messages_are_as_long_as_their_arguments() -> None:
    small, large = of_items("x"), of_items("x", "y" * 60_000)

    assert 1_024 < small.message_bytes < 1_100
    assert 40_000 < large.message_bytes < 42_000, "the mean of both, in base64"


def test_a_sequence_counts_with_its_step() -> None:
    compiled = work(spec(sequence={"start": 10, "count": 3, "step": -4}))

    assert [compiled.call(index).args for index in range(compiled.total)] == [[10], [6], [2]]


def test_a_sequence_of_millions_compiles_without_a_list() -> None:
    compiled = work(spec(count=10_000_000))

    assert compiled.total == 10_000_000
    assert compiled.call(9_999_999).args == [9_999_999]


def test_tasks_are_signatures_of_their_own() -> None:
    compiled = work(spec(tasks=[{"task": "a", "args": ["$(index)"]}, {"task": "b", "kwargs": {"x": "$(group.name)"}}]))

    assert [compiled.call(index).leaf.task for index in (0, 1)] == ["a", "b"]
    assert compiled.call(0).args == [0]
    assert compiled.call(1).kwargs == {"x": NAME}


def test_absent_arguments_are_empty() -> None:
    call = work(spec(items=[1], template={"task": "a"})).call(0)

    assert (call.args, call.kwargs) == ([], {})


def test_lanes_go_by_priority_and_then_by_index() -> None:
    compiled = of_tasks(0, 9, 5, 9, 0)

    assert [(lane.priority, list(lane.indexes)) for lane in compiled.lanes] == [(9, [1, 3]), (5, [2]), (0, [0, 4])]


def test_a_template_makes_one_lane_of_its_priority() -> None:
    compiled = of_items(1, 2, options={"priority": 7})

    assert [(lane.priority, lane.indexes) for lane in compiled.lanes] == [(7, indexes(0, 1))]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), max_size=10))
def test_appended_tasks_leave_the_order_of_each_lane(priorities: list[int], more: list[int]) -> None:
    before = {lane.priority: lane.indexes for lane in of_tasks(*priorities).lanes}
    now = {lane.priority: lane.indexes for lane in of_tasks(*priorities, *more).lanes}

    assert sorted(index for lane in now.values() for index in lane) == list(range(len(priorities) + len(more)))
    assert all(now[priority][: len(lane)] == lane for priority, lane in before.items())


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (of_items(1, 2, 3), True),
        (of_items(1, 2), True),
        (of_items(1, 3), False),
        (of_items(2, 1), False),
        (of_items(1, "2"), False),
        (of_items(1, 2, task="shop.other"), False),
        (of_items(1, 2, options={"priority": 1}), False),
        (of_items(1, 2, args=["$(index)"]), False),
    ],
    ids=["appended", "same", "edited", "swapped", "other type", "other task", "other options", "other arguments"],
)
def test_the_digest_of_a_prefix_tells_appending_from_changing(changed: Work, same: bool) -> None:
    assert (changed.digest(2) == of_items(1, 2).digest(2)) is same


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert of_items({"a": 1, "b": 2}).digest(1) == of_items({"b": 2, "a": 1}).digest(1)


def test_neighbouring_items_cannot_be_glued_together() -> None:
    assert of_items("a", "b").digest(2) != of_items("a,b").digest(1)
    assert of_items(1, 23).digest(2) != of_items(12, 3).digest(2)


def test_the_digest_of_tasks_covers_each_signature() -> None:
    first = of_tasks(1, 2)

    assert of_tasks(1, 2, 3).digest(2) == first.digest(2)
    assert of_tasks(1, 3).digest(2) != first.digest(2)
    assert of_tasks(1, 2, 3).digest(3) != first.digest(2)


def test_a_sequence_may_grow_but_not_move() -> None:
    def digest(**sequence: int) -> str:
        return work(spec(sequence=sequence)).digest(5)

    assert digest(count=5) == digest(count=9)
    assert len({digest(count=5), digest(count=5, start=1), digest(count=5, step=2)}) == 3


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"items": [{"a": 1}, {}], "template": {"task": "t", "args": ["$(item.a)"]}}, "Item 1 has no 'a'"),
        (
            {"items": [{"true": 1, "x": 2}], "template": {"task": "t", "args": ["$(item.y)"]}},
            "Item 0 has no 'y': correct the item or $(item.y). It has true, x.",
        ),
        ({"tasks": [{"task": "t"}, {"task": "t", "args": ["$(item)"]}]}, "no meaning in tasks[1]"),
        ({"sequence": {"count": 3}, "template": {"task": "t", "args": ["$(item.a)"]}}, "Item 0 has no 'a'"),
        ({"items": [1], "template": {"task": "t", "kwargs": {"x": "$(itme)"}}}, "Unknown placeholder $(itme)"),
        ({"items": [1], "template": None}, "Give spec.template"),
    ],
)
def test_what_cannot_be_filled_is_refused_before_it_starts(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        compile_work(spec(**fields), NAME)

    assert sentence in str(caught.value)


def test_a_template_without_a_source_is_refused() -> None:
    with pytest.raises(InvalidSpecError, match="exactly one of"):
        compile_work(spec().model_copy(update={"sequence": None}), NAME)


def test_signatures_that_differ_in_their_arguments_alone_are_one_kind() -> None:
    compiled = work(
        spec(
            tasks=[
                {"task": "a", "args": [1]},
                {"task": "a", "args": [2]},
                {"task": "a", "options": {"ignoreResult": True}},
                {"task": "b"},
            ]
        )
    )

    assert [(leaf.task, leaf.options.ignore_result) for leaf in compiled.kinds] == [
        ("a", False),
        ("a", True),
        ("b", False),
    ]
    assert compiled.ignores_results
    assert not of_tasks(0, 1).ignores_results
