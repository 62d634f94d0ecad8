"""Chunks: which items are in one message, and what their ends mean for each of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import BAD, NOW, after, chunk_spec, completions, indexes, look, only, queue, running, spec, view
from support.compiled import compile_work
from taskgroup.api.status import ItemsStatus
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.groups.configuration import trouble
from taskgroup.core.groups.cutting import cut_now
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Dispatch
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.items.chunks import MAX_STARTS, Chunks, chunks_of

GROWN = Chunks(4, (6,))
"""Six items, and later more."""


def test_a_chunk_begins_where_the_one_before_is_full_and_where_items_were_appended() -> None:
    assert list(GROWN.entries(12)) == [0, 4, 6, 10]
    assert [GROWN.span(index, 12) for index in (0, 3, 4, 5, 6, 9, 10, 11)] == [
        *[(0, 4)] * 2,
        *[(4, 6)] * 2,
        *[(6, 10)] * 2,
        *[(10, 12)] * 2,
    ]


@given(st.integers(1, 7), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_whatever_is_appended_chunks_that_there_were_stay_as_they_were(
    size: int, parts: list[int], data: st.DataObject
) -> None:
    chunks, total = Chunks(size), parts[0]
    for part in parts[1:]:
        before = [chunks.span(index, total) for index in range(total)]
        chunks = chunks.grown(total, total + part)
        total += part
        assert [chunks.span(index, total) for index in range(len(before))] == before

    entries = chunks.entries(total)
    spans = [chunks.span(index, total) for index in entries]
    assert [index for first, end in spans for index in range(first, end)] == list(range(total)), "each item once"
    assert max(end - first for first, end in spans) <= size
    some = indexes(*data.draw(st.lists(st.sampled_from(list(entries)))))
    assert chunks.count(some, total) == len(chunks.members(some, total))
    written = ItemsStatus(count=total, sha256="", chunk_size=size, chunk_starts=chunks.starts_text(total))
    assert chunks_of(written) == chunks


def test_a_full_last_chunk_needs_no_mark() -> None:
    assert Chunks(4).grown(8, 9) == Chunks(4)
    assert Chunks(4).grown(8, 8) == Chunks(4)
    assert Chunks(4).grown(7, 8) == Chunks(4, (7,))


def test_a_message_has_the_list_of_its_items() -> None:
    work = compile_work(chunk_spec(4, count=10), "a")

    assert [work.call(index).args for index in work.entries] == [[[0, 1, 2, 3]], [[4, 5, 6, 7]], [[8, 9]]]
    assert work.call(8).args == [[8, 9]]
    assert work.units == indexes(0, 4, 8)


def test_index_is_the_first_one() -> None:
    work = compile_work(chunk_spec(4, template={"task": "a", "kwargs": {"at": "$(index)", "of": "$(items)"}}), "a")

    assert work.call(4).kwargs == {"at": 4, "of": [4, 5, 6, 7]}


def test_a_task_may_take_lists_of_one() -> None:
    work = compile_work(spec(2, template={"task": "a", "args": ["$(items)"]}), "a")

    assert [work.call(index).args for index in (0, 1)] == [[[0]], [[1]]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chunkSize": 2}, "no task of the template takes a list: write $(items)"),
        ({"chunkSize": 2, "template": {"task": "a", "args": ["$(items)", "$(item)"]}}, "no meaning beside $(items)"),
        ({"tasks": [{"task": "a", "args": ["$(items)"]}]}, "$(items) has no meaning in tasks[0]"),
        (
            {"template": {"task": "a", "args": ["$(items)"]}, "callback": {"task": "b", "args": ["$(items)"]}},
            "$(items) has no meaning in spec.callback",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        compile_work(spec(**fields), "a")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        {"items": ["a" * 1_000] * 20},
        {"matrix": {"axes": {"a": ["a" * 1_000, "b"], "b": list(range(20))}}},
        {"sequence": {"start": 10**15, "count": 200}},
    ],
    ids=["items", "matrix", "sequence"],
)
def test_a_chunk_that_is_too_long_for_a_message_is_refused(source: dict[str, Any]) -> None:
    fields: dict[str, Any] = source | {"template": {"task": "a", "args": ["$(items)"]}}
    size = 100 if "sequence" in source else 10
    compile_work(spec(**fields, chunkSize=1), "a", 3_000)

    with pytest.raises(InvalidSpecError) as caught:
        compile_work(spec(**fields, chunkSize=size), "a", 3_000)
    assert "3,000 are allowed" in str(caught.value)


def test_an_item_that_is_nested_too_deeply_is_found_in_its_chunk() -> None:
    deep: Any = 1
    for _ in range(249):
        deep = [deep]

    with pytest.raises(InvalidSpecError) as caught:
        compile_work(spec(items=[1, 2, deep], template={"task": "a", "args": ["$(items)"]}, chunkSize=2), "a")
    assert "item 2 are nested too deeply" in str(caught.value)


def test_the_end_of_a_chunk_is_the_end_of_each_of_its_items() -> None:
    seen = running(chunk_spec(4, count=10))
    first = reconcile(seen, NOW)
    assert [action.indexes for action in only(first, Dispatch)] == [indexes(0, 4, 8)]
    assert (first.status.messages, first.status.progress) == ("0/3", "0/10")
    ledger = first.ledger.dispatched(0, 3)

    plan = look(seen, ledger=ledger, completions=completions([4], [8]), queue=queue(1))

    status = plan.status
    assert (status.succeeded, status.failed, status.active, status.pending) == (4, 2, 4, 0)
    assert (status.completed_indexes, status.failed_indexes) == ("4-7", "8,9")
    assert (status.messages, status.progress) == ("2/3", "6/10")
    assert status.failures is not None
    assert (status.failures[0].reason, status.failures[0].count) == (BAD.reason, 2)


def test_workers_are_asked_for_as_there_are_messages() -> None:
    plan = reconcile(running(chunk_spec(5, count=10)), NOW)

    assert plan.demand is not None
    assert plan.demand.items == 2
    assert plan.demand.reason == "10 items are left in 2 messages, 4 at once in a pod."


def appended(seen: Observed, count: int) -> Observed:
    """The next look, with so many items."""
    wanted = chunk_spec(4, count=count)
    return after(seen, reconcile(seen, NOW), spec=wanted, work=cut_now(compile_work(wanted, "thumbnails"), seen.status))


def test_where_appended_items_begin_is_written_before_they_are_dispatched() -> None:
    seen = running(chunk_spec(4, count=6))
    plan = reconcile(seen, NOW)
    grown = appended(seen, 9)
    grown = after(grown, plan, ledger=plan.ledger.dispatched(0, 2), queue=queue(2), view=view(1))

    plan = reconcile(grown, NOW)

    assert plan.transition, "the status is written before the actions are carried out"
    assert plan.status.items is not None
    assert (plan.status.items.chunk_size, plan.status.items.chunk_starts) == (4, "6")
    assert [action.indexes for action in only(plan, Dispatch)] == [indexes(6)]
    again = after(grown, plan, work=cut_now(grown.work, plan.status))
    assert not reconcile(again, NOW).transition


def test_items_that_were_appended_before_the_start_fill_the_last_chunk() -> None:
    wanted = chunk_spec(4, count=9)
    work = compile_work(wanted, "thumbnails")

    assert cut_now(work, running(wanted).status.model_copy(update={"start_time": None})) is work


def test_too_many_appends_of_broken_chunks_are_refused() -> None:
    seen = running(chunk_spec(4, count=2_000))
    assert seen.work is not None
    assert trouble(seen) is None

    many = Chunks(4, tuple(range(1, 2 * MAX_STARTS + 2, 2)))
    found = trouble(after(seen, reconcile(seen, NOW), work=seen.work.cut(many)))

    assert found is not None
    assert "append a multiple of chunkSize" in found.message
    assert len(many.starts_text(2_000) or "") < 4_096


def test_chunks_of_one_item_are_items() -> None:
    alone = Chunks()

    assert alone.entries(5) == full(5)
    assert alone.members(indexes(1, 3), 5) == indexes(1, 3)
    assert alone.count(indexes(1, 3), 5) == 2
