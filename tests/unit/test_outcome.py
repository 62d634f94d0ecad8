"""When a group has ended, and how."""

from dataclasses import replace

import pytest

from support.builders import NOW, decided, indexes, ledger, running, spec
from taskgroup.api.names import Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.completions import Failure
from taskgroup.core.groups import outcome
from taskgroup.core.groups.outcome import Verdict, deadline_in, judge
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger

LIMITED = spec(activeDeadlineSeconds=60)
OPEN = ledger(10, dispatched=4, succeeded=indexes(0))


def test_goes_on_while_an_item_is_left() -> None:
    assert judge(OPEN, spec(), NOW + 10**6) is None
    assert judge(ledger(10, succeeded=full(9)), spec(), NOW) is None


def test_all_succeeded_is_complete() -> None:
    assert judge(ledger(3, succeeded=full(3)), spec(), NOW) == Verdict(
        True, Reason.COMPLETIONS_REACHED, "All 3 items succeeded."
    )


def test_one_failure_fails_the_group_once_all_have_ended() -> None:
    books = ledger(3, succeeded=indexes(0), failed=indexes(1))

    assert judge(books, spec(), NOW) is None
    verdict = judge(books.succeeded_with(indexes(2)), spec(), NOW)
    assert verdict == Verdict(False, Reason.FAILED_INDEXES, "1 of 3 items failed: ValueError (1).")


def test_the_sentence_names_the_three_most_frequent_exceptions() -> None:
    books = ledger(10, failed=indexes(range(4)))
    for name, members in (("KeyError", range(4, 7)), ("OSError", range(7, 9)), ("TypeError", range(9, 10))):
        books = books.failed_with(Failure(name, "bad"), indexes(members), NOW)

    verdict = judge(books, spec(), NOW)

    assert verdict is not None
    assert verdict.message == "10 of 10 items failed: ValueError (4), KeyError (3), OSError (2)."


@pytest.mark.parametrize(("after", "over"), [(59.9, False), (60, True), (600, True)])
def test_the_deadline_counts_from_the_start(after: float, over: bool) -> None:
    verdict = judge(OPEN, LIMITED, NOW + after)

    assert (verdict is not None) is over
    if verdict:
        assert (verdict.success, verdict.reason) == (False, Reason.DEADLINE_EXCEEDED)
        assert "9 of 10 items" in verdict.message


def test_the_deadline_does_not_count_suspension() -> None:
    books = OPEN.paused(NOW + 20)
    assert judge(books, LIMITED, NOW + 10**6) is None

    resumed = replace(books, running_since=NOW + 1_000)
    assert judge(resumed, LIMITED, NOW + 1_039) is None
    assert judge(resumed, LIMITED, NOW + 1_040) is not None


def test_work_that_is_done_wins_over_a_deadline_that_is_over() -> None:
    verdict = judge(ledger(3, succeeded=full(3)), LIMITED, NOW + 100)

    assert verdict is not None
    assert verdict.success


@pytest.mark.parametrize(
    ("books", "left"), [(OPEN, 50), (OPEN.paused(NOW), None), (replace(OPEN, ran_seconds=100.0), 0)]
)
def test_time_left(books: Ledger, left: float | None) -> None:
    assert deadline_in(books, LIMITED, NOW + 10) == left
    assert deadline_in(books, spec(), NOW + 10) is None


@pytest.mark.parametrize("books", [ledger(3, succeeded=full(3)), ledger(3, succeeded=full(2), failed=indexes(2))])
def test_an_outcome_is_read_back_as_it_was_written(books: Ledger) -> None:
    verdict = judge(books, spec(3), NOW)

    assert outcome.decided(decided(running(spec(3), books)).status) == verdict


def test_nothing_written_is_nothing_decided() -> None:
    assert outcome.decided(TaskGroupStatus()) is None
    assert outcome.decided(running().status) is None
