"""Arrivals become counts, once per index."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import NOW, arrived, indexes, ledger, spec, unknown_task, work
from taskgroup.core.groups.accounting import account, with_total
from taskgroup.core.groups.observed import Arrivals, FailedItem
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger

WORK = work(spec(10))


def counted(books: Ledger, *arrivals: Arrivals) -> Ledger:
    for extra_events in arrivals:
        books = account(books, extra_events, WORK, NOW).ledger
    return books


def test_nothing_new_changes_nothing() -> None:
    books = ledger(sent=5)

    assert account(books, Arrivals(), WORK, NOW).ledger is books


def test_ends_are_counted() -> None:
    books = counted(ledger(sent=5), arrived([0, 1], [2]))

    assert (books.succeeded, books.failed) == (indexes(0, 1), indexes(2))


def test_the_same_news_twice_counts_once() -> None:
    extra_events = arrived([0, 1], [2])

    assert counted(ledger(sent=5), extra_events, extra_events) == counted(ledger(sent=5), extra_events)


def test_success_wins_in_any_order() -> None:
    good, bad = arrived([1]), arrived((), [1])

    assert counted(ledger(sent=5), good, bad).succeeded == indexes(1)
    assert counted(ledger(sent=5), bad, good).succeeded == indexes(1)
    assert counted(ledger(sent=5), arrived([1], [1])).failed == NONE


def test_failures_are_kept_apart_by_exception_and_message() -> None:
    extra_events = Arrivals(
        failed=(FailedItem(1, "KeyError", "a"), FailedItem(2, "KeyError", "b"), FailedItem(3, "KeyError", "a"))
    )

    found = counted(ledger(sent=5), extra_events).failures

    assert [(group.message, group.indexes) for group in found] == [("a", indexes(1, 3)), ("b", indexes(2))]


def test_a_task_that_no_worker_knows_is_no_attempt() -> None:
    books = account(ledger(sent=5), unknown_task(1, 2), WORK, NOW)

    assert (books.unknown, books.unknown_task) == (indexes(1, 2), "shop.send")
    assert books.ledger == ledger(sent=5)


@pytest.mark.parametrize("task", ["shop.sub", "shop.send_all", "send"])
def test_a_task_that_misses_another_task_failed_itself(task: str) -> None:
    extra_events = unknown_task(1, task=task)
    books = account(ledger(sent=5), extra_events, WORK, NOW)

    assert (books.unknown, books.ledger.failed) == (NONE, indexes(1))


def test_an_item_that_ended_is_not_unknown_later() -> None:
    books = account(ledger(sent=5, succeeded=indexes(1)), unknown_task(1), WORK, NOW)

    assert (books.unknown, books.unknown_task) == (NONE, "")


def test_appended_items_join_and_none_leave() -> None:
    assert with_total(ledger(10), 15).total == 15
    assert with_total(ledger(10), 5).total == 10


news_of = st.builds(
    arrived,
    st.frozensets(st.integers(0, 12), max_size=4),
    st.frozensets(st.integers(0, 12), max_size=4),
    reason=st.sampled_from(["ValueError", "KeyError"]),
)


@given(st.lists(news_of, max_size=8), st.randoms(use_true_random=False))
def test_the_order_and_number_of_news_do_not_matter(extra_events: list[Arrivals], chance: Random) -> None:
    mixed = [*extra_events, *extra_events]
    chance.shuffle(mixed)

    straight, shuffled = counted(ledger(sent=10), *extra_events), counted(ledger(sent=10), *mixed)

    assert (straight.succeeded, straight.failed) == (shuffled.succeeded, shuffled.failed)
    said_well = FrozenBitMap(index for part in extra_events for index in part.succeeded)
    assert straight.succeeded == said_well & full(10), "an index succeeded when anything ever said so"
