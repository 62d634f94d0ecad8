"""What a reader learns of the items from the status alone."""

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import NOW, finished, indexes, ledger, running, spec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.read_back import ledger_of

ends = st.lists(st.sampled_from("psf"), min_size=1, max_size=60)


@given(ends)
def test_the_status_tells_how_each_item_ended(letters: list[str]) -> None:
    where = {letter: FrozenBitMap([i for i, end in enumerate(letters) if end == letter]) for letter in "psf"}
    books = ledger(len(letters), dispatched=len(letters), succeeded=where["s"], failed=where["f"])
    told = ledger_of(reconcile(running(spec(len(letters)), books), NOW).status)

    assert (told.succeeded, told.failed) == (where["s"], where["f"])
    for index in where["f"]:
        group = told.failure_of(index)
        assert group
        assert (group.failure.reason, group.failure.message) == ("ValueError", "bad")


def test_after_the_end_the_rest_is_cancelled() -> None:
    books = ledger(4, dispatched=4, succeeded=indexes(0), failed=indexes(1))
    overdue = spec(4, activeDeadlineSeconds=5)
    told = ledger_of(finished(running(overdue, books), NOW + 6).status)

    assert told.cancelled == indexes(2, 3)


def test_lists_that_were_too_long_tell_nothing() -> None:
    assert ledger_of(TaskGroupStatus(total=5, indexes_truncated=True)) == Ledger()
