"""A group inside the template: the same as its tasks written out for every item, in this order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import NAME, spec
from support.compiled import compile_work
from taskgroup.cli.results import last_unit
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.work import Work

leaves = st.builds(
    lambda task, priority: {"task": task, "args": ["$(item)", "$(index)"], "options": {"priority": priority}},
    st.sampled_from(["quotes.bank", "quotes.market", "quotes.paper"]),
    st.sampled_from([0, 0, 5]),
)
members = leaves | st.lists(leaves, min_size=1, max_size=3).map(lambda chain: {"chain": chain})
groups = st.lists(members, min_size=1, max_size=4)


def nested(group: list[Any], items: list[Any]) -> Work:
    return compile_work(spec(items=items, template={"group": group}), NAME)


def written_out(group: list[Any], items: list[Any]) -> Work:
    tasks = [_with_item(member, item) for item in items for member in group]
    return compile_work(spec(tasks=tasks), NAME)


def _with_item(member: Any, item: Any) -> Any:
    if "chain" in member:
        return {"chain": [_with_item(leaf, item) for leaf in member["chain"]]}
    return {**member, "args": [item, *member["args"][1:]]}


@given(groups, st.lists(st.integers(0, 99), min_size=1, max_size=5))
def test_it_is_the_same_as_its_tasks_written_out(group: list[Any], items: list[Any]) -> None:
    ours, theirs = nested(group, items), written_out(group, items)

    assert ours.total == theirs.total == len(items) * len(group)
    assert (ours.lanes, ours.last, ours.steps) == (theirs.lanes, theirs.last, theirs.steps)
    assert [ours.place(unit) for unit in ours.units] == [theirs.place(unit) for unit in theirs.units]
    assert [_called(ours, unit) for unit in ours.units] == [_called(theirs, unit) for unit in theirs.units]
    assert list(ours.last_in_order()) == list(theirs.last_in_order())
    for task in ("quotes.bank", "quotes.market", "quotes.paper"):
        assert ours.running(task) == theirs.running(task)


def _called(work: Work, unit: int) -> tuple[object, ...]:
    call = work.call(unit)
    return call.leaf.task, call.args, call.takes_result


@given(groups, st.lists(st.integers(0, 9), min_size=1, max_size=4), st.lists(st.integers(0, 9), max_size=3))
def test_appended_items_leave_the_others_where_they_are(group: list[Any], items: list[int], more: list[int]) -> None:
    before, after = nested(group, items), nested(group, items + more)

    assert before.digest(before.total) == after.digest(before.total)
    assert [_called(before, unit) for unit in before.units] == [_called(after, unit) for unit in before.units]


def test_another_group_is_another_work() -> None:
    two = [{"task": "a"}, {"task": "b"}]

    assert nested(two, [1]).digest(2) != nested(list(reversed(two)), [1]).digest(2)


def test_a_message_that_is_too_long_names_its_index() -> None:
    group = [{"task": "a"}, {"task": "b", "args": ["$(item)"]}]

    with pytest.raises(InvalidSpecError, match="The message of item 3 would have"):
        compile_work(spec(items=["x", "y" * 2_000_000], template={"group": group}), NAME)


def test_the_result_of_an_item_is_that_of_its_last_task() -> None:
    wanted = spec(items=[1, 2], template={"group": [{"task": "a"}, {"chain": [{"task": "b"}, {"task": "c"}]}]})
    work = compile_work(wanted, NAME)

    assert [last_unit(wanted, index) for index in range(4)] == list(work.last_in_order())


@pytest.mark.parametrize("fields", [{"chunk_size": 2}, {}], ids=["chunkSize", "items"])
def test_its_tasks_take_no_lists(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpecError, match=r"one item at a time: write \$\(item\) for \$\(items\)"):
        compile_work(spec(items=[1, 2], template={"group": [{"task": "a", "args": ["$(items)"]}]}, **fields), NAME)
