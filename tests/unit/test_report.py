"""The figures of the status."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import NOW, completions, indexes, ledger, observed, running, spec, view, work
from support.pool_builders import pods, pool, pool_look, pool_queue, workers
from taskgroup.api.names import Reason, State
from taskgroup.api.status import (
    MAX_FAILURES,
    MAX_INDEXES_BYTES,
    FailureStatus,
    ItemsStatus,
    TaskGroupStatus,
    WorkersStatus,
)
from taskgroup.core.completions import Failure
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full, parse_indexes
from taskgroup.core.trouble import Trouble


def status_of(total: int = 10, **books: object) -> TaskGroupStatus:
    return reconcile(running(spec(total), ledger(total, **books)), NOW).status  # type: ignore[arg-type]


def test_counts_add_up() -> None:
    status = status_of(10, dispatched=8, succeeded=indexes(range(4)), failed=indexes(4), returned=indexes(5))

    assert (status.total, status.pending, status.active) == (10, 3, 2)
    assert (status.succeeded, status.failed, status.cancelled) == (4, 1, 0)
    assert (status.progress, status.percent) == ("5/10", 50)
    assert (status.completed_indexes, status.failed_indexes) == ("0-3", "4")
    assert (status.state, status.indexes_truncated) == (State.RUNNING, None)


def test_percent_is_rounded_down() -> None:
    assert status_of(1_000, succeeded=full(999)).percent == 99


def test_what_came_back_since_is_in_the_counts_of_the_same_look() -> None:
    seen = running(ledger=ledger(dispatched=8))

    status = reconcile(replace(seen, completions=completions([0], [1])), NOW).status

    assert (status.active, status.succeeded, status.failed) == (6, 1, 1)


def test_long_index_lists_are_left_out_together() -> None:
    every_other = FrozenBitMap(range(0, 4_000, 2))

    status = status_of(4_001, dispatched=4_001, succeeded=every_other, failed=indexes(1))

    assert (status.completed_indexes, status.failed_indexes, status.indexes_truncated) == (None, None, True)
    assert status.succeeded == 2_000


def test_a_group_that_cannot_start_shows_its_items_or_no_figures_but_never_none_of_none() -> None:
    no_secret = Trouble(Reason.SECRET_NOT_FOUND, "Make the Secret.")

    counted = reconcile(observed(invalid=no_secret), NOW).status
    unread = reconcile(observed(invalid=no_secret, work=None), NOW).status

    assert (counted.progress, counted.total) == ("0/10", 10)
    assert (unread.progress, unread.total) == (None, None)


def test_the_most_frequent_failures_are_shown() -> None:
    books = ledger(1_000, dispatched=1_000)
    for kind in range(30):
        books = books.failed_with(Failure(f"E{kind}", "m"), full(10 * kind + kind) - books.ended, NOW)

    failures = reconcile(running(spec(1_000), books), NOW).status.failures

    assert failures is not None
    assert len(failures) == MAX_FAILURES
    assert [failure.count for failure in failures] == sorted((failure.count for failure in failures), reverse=True)


def test_a_failure_says_which_items_and_when() -> None:
    status = status_of(10, dispatched=9, failed=indexes(2, 3, 4, 7))

    assert status.failures == [
        FailureStatus(reason="ValueError", message="bad", count=4, indexes="2-4,7", last_time="2027-01-15T08:00:00Z")
    ]


def test_a_failure_shows_where_the_first_of_its_items_raised_it() -> None:
    books = ledger(10, dispatched=10)
    for number, trace in enumerate(("first", "second")):
        books = books.failed_with(Failure("E", "m", trace), indexes(number), NOW)

    failures = reconcile(running(spec(10), books), NOW).status.failures
    assert failures is not None
    (failure,) = failures

    assert (failure.count, failure.traceback) == (2, "first")


def test_tracebacks_can_be_kept_out_of_the_status() -> None:
    books = ledger(10, dispatched=10).failed_with(Failure("E", "m", "trace"), indexes(1), NOW)

    failures = reconcile(running(spec(10, failureTracebacks=False), books), NOW).status.failures
    assert failures is not None
    (failure,) = failures

    assert failure.traceback is None


def test_tracebacks_never_push_a_failure_out_of_the_status() -> None:
    books = ledger(1_000, dispatched=1_000)
    for kind in range(MAX_FAILURES):
        failure = Failure(f"E{kind}", "m" * 100, "t" * 1_000)
        books = books.failed_with(failure, full(20 * kind + 20) - books.ended, NOW)

    failures = reconcile(running(spec(1_000), books), NOW).status.failures or ()

    assert len(failures) == MAX_FAILURES
    shown = [failure.traceback is not None for failure in failures]
    assert shown == sorted(shown, reverse=True)
    assert 0 < sum(shown) < MAX_FAILURES


def test_long_texts_and_lists_of_a_failure_are_cut() -> None:
    many = FrozenBitMap(range(0, 2_000, 2))
    books = ledger(2_000, dispatched=2_000).failed_with(Failure("E" * 300, "m" * 5_000), many, NOW)

    failures = reconcile(running(spec(2_000), books), NOW).status.failures
    assert failures is not None
    (failure,) = failures

    assert (len(failure.reason), len(failure.message), failure.count) == (256, 1_024, 1_000)
    assert len(failure.indexes) <= 512
    assert failure.indexes.endswith(",…")
    assert parse_indexes(failure.indexes.removesuffix(",…")) == many[: failure.indexes.count(",")]


def test_the_status_stays_small_whatever_went_wrong() -> None:
    books = ledger(100_000, dispatched=100_000, succeeded=FrozenBitMap(range(0, 1_600, 2)))
    for number in range(50):
        which = FrozenBitMap(range(1_601 + number, 100_000, 50))
        failure = Failure("\u00e9" * 256, f"{number} " + "\U0001f4a5" * 1_000, "\U0001f4a5" * 1_000)
        books = books.failed_with(failure, which, NOW)

    status = reconcile(running(spec(100_000), books), NOW).status

    assert status.failures, "at least one is named"
    assert len(status.model_dump_json(by_alias=True).encode()) < 20_000


def test_workers_are_counted_by_what_they_do() -> None:
    """The pool counts its pods, the group shows what the pool says."""
    members = (*pods("a", "b"), *pods("gone", ended=True))
    plan = pool_look(pool(workers=workers(2, members=members), queue=pool_queue(a=2, b=0)))

    assert reconcile(running(view=plan.view), NOW).status.workers == WorkersStatus(replicas=2, ready=2, busy=1)


def test_workers_stay_as_written_while_the_pool_has_said_nothing() -> None:
    assert reconcile(observed(), NOW).status.workers == WorkersStatus(replicas=0, ready=0, busy=0)

    seen = running(view=view(3, busy=2))
    written = reconcile(seen, NOW).status
    restarted = reconcile(replace(seen, status=written, view=None), NOW + 1).status
    assert restarted.workers == WorkersStatus(replicas=3, ready=3, busy=2)


def test_the_fingerprint_follows_appended_items_only() -> None:
    three, four = spec(items=[1, 2, 3]), spec(items=[1, 2, 3, 4])
    seen = running(three)
    assert seen.status.items == ItemsStatus(count=3, sha256=work(three).digest(3))

    grown = reconcile(replace(seen, spec=four, work=work(four)), NOW).status
    assert grown.items == ItemsStatus(count=4, sha256=work(four).digest(4))
    assert grown.total == 4

    other = spec(items=[9, 2, 3])
    refused = reconcile(replace(seen, spec=other, work=work(other)), NOW).status
    assert refused.items == seen.status.items
    assert refused.total == 3


def test_the_fingerprint_covers_items_that_were_appended_and_ended_before_the_next_write() -> None:
    four = spec(items=[1, 2, 3, 4])
    seen = running(spec(items=[1, 2, 3]), ledger(3, dispatched=3, succeeded=full(3)))
    books = ledger(4, dispatched=4, succeeded=full(4))

    decided = reconcile(replace(seen, spec=four, work=work(four), ledger=books), NOW).status
    assert (decided.total, decided.succeeded) == (4, 4)
    assert decided.items == ItemsStatus(count=4, sha256=work(four).digest(4))


counts = st.frozensets(st.integers(0, 49)).map(FrozenBitMap)


@given(counts, counts, counts, st.integers(0, 50))
def test_any_books_make_a_status_that_the_api_server_takes(
    succeeded: FrozenBitMap, failed: FrozenBitMap, returned: FrozenBitMap, sent: int
) -> None:
    books = ledger(50, dispatched=sent, succeeded=succeeded, failed=failed - succeeded)
    status = reconcile(running(spec(50), books.withdrawn(returned & full(sent))), NOW).status

    assert TaskGroupStatus.model_validate(status.dump()) == status
    parts = (status.pending, status.active, status.succeeded, status.failed, status.cancelled)
    assert sum(part or 0 for part in parts) == status.total
    assert len(status.completed_indexes or "") <= MAX_INDEXES_BYTES


def test_the_status_of_a_million_items_is_small() -> None:
    scattered = FrozenBitMap(range(0, 1_000_000, 3))
    status = status_of(1_000_000, dispatched=1_000_000, succeeded=scattered, failed=indexes(1))

    assert len(str(status.dump())) < 20_000
