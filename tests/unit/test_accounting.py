"""Completions become counts, once per index."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import NOW, completions, indexes, ledger, not_registered, spec, work
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.accounting import account, with_total
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger

WORK = work(spec(10))


def counted(books: Ledger, *parts: Completions) -> Ledger:
    for part in parts:
        books = account(books, part, WORK, NOW).ledger
    return books


def test_nothing_new_changes_nothing() -> None:
    books = ledger(dispatched=5)

    assert account(books, Completions(), WORK, NOW).ledger is books


def test_ends_are_counted() -> None:
    books = counted(ledger(dispatched=5), completions([0, 1], [2]))

    assert (books.succeeded, books.failed) == (indexes(0, 1), indexes(2))


def test_what_comes_twice_counts_once() -> None:
    part = completions([0, 1], [2])

    assert counted(ledger(dispatched=5), part, part) == counted(ledger(dispatched=5), part)


def test_success_wins_in_any_order() -> None:
    good, bad = completions([1]), completions((), [1])

    assert counted(ledger(dispatched=5), good, bad).succeeded == indexes(1)
    assert counted(ledger(dispatched=5), bad, good).succeeded == indexes(1)
    assert counted(ledger(dispatched=5), completions([1], [1])).failed == NONE


def test_failures_are_kept_apart_by_exception_and_message() -> None:
    part = Completions(failed={1: Failure("KeyError", "a"), 2: Failure("KeyError", "b"), 3: Failure("KeyError", "a")})

    failures = counted(ledger(dispatched=5), part).failures

    assert [(group.failure.message, group.indexes) for group in failures] == [("a", indexes(1, 3)), ("b", indexes(2))]


def test_a_task_that_no_worker_knows_is_no_attempt() -> None:
    result = account(ledger(dispatched=5), not_registered(1, 2), WORK, NOW)

    assert result.unknown == indexes(1, 2)
    assert result.ledger == ledger(dispatched=5)


@pytest.mark.parametrize("task", ["shop.sub", "shop.send_all", "send"])
def test_a_task_that_misses_another_task_failed_itself(task: str) -> None:
    result = account(ledger(dispatched=5), not_registered(1, task=task), WORK, NOW)

    assert (result.unknown, result.ledger.failed) == (NONE, indexes(1))


def test_an_item_that_ended_is_not_unknown_later() -> None:
    assert account(ledger(dispatched=5, succeeded=indexes(1)), not_registered(1), WORK, NOW).unknown == NONE


def test_appended_items_join_and_none_leave() -> None:
    assert with_total(ledger(10), work(spec(15))).total == 15
    assert with_total(ledger(10), work(spec(5))).total == 10


any_completions = st.builds(
    completions,
    st.frozensets(st.integers(0, 12), max_size=4),
    st.frozensets(st.integers(0, 12), max_size=4),
    failure=st.builds(Failure, st.sampled_from(["ValueError", "KeyError"]), st.just("bad")),
)


@given(st.lists(any_completions, max_size=8), st.randoms(use_true_random=False))
def test_the_order_and_number_of_completions_do_not_matter(parts: list[Completions], chance: Random) -> None:
    mixed = [*parts, *parts]
    chance.shuffle(mixed)

    straight, shuffled = counted(ledger(dispatched=10), *parts), counted(ledger(dispatched=10), *mixed)

    assert (straight.succeeded, straight.failed) == (shuffled.succeeded, shuffled.failed)
    ever_succeeded = FrozenBitMap(index for part in parts for index in part.succeeded)
    assert straight.succeeded == ever_succeeded & full(10), "an index succeeded when anything ever said so"


@given(any_completions, any_completions)
def test_what_was_counted_is_shown_no_more_and_what_came_since_is(first: Completions, second: Completions) -> None:
    both = first.plus(second)

    assert both.count == len(both.succeeded) + len(both.failed)
    assert first.minus(first) == Completions()
    assert not first.minus(first)
    assert both.minus(first).succeeded == second.succeeded - first.succeeded
    assert both.minus(first).failed.keys() == second.failed.keys() - first.failed.keys()
    assert bool(both) == bool(both.count)
