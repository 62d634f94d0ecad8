"""What the broker knows better than the ledger, and when it is taken over."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import (
    NONCE,
    NOW,
    after,
    decided,
    indexes,
    ledger,
    look,
    only,
    queue,
    running,
    said,
    spec,
    state,
    view,
)
from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.observed import TOMBSTONE, BrokerBooks, GroupState, Observed, QueueState
from taskgroup.core.groups.plan import Dispatch, Open, Redispatch
from taskgroup.core.groups.recovery import adopt, needs_books, poison
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble

OVER = MAX_LOSSES + 1
FIVE = state(cursors={0: 5})
WRONG = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")


def group(mine: Ledger | None = None, /, **fields: Any) -> Observed:
    return running(spec(100), mine or ledger(100), **fields)


def with_state(known: GroupState) -> QueueState:
    return QueueState(known, queued=3)


@pytest.mark.parametrize(
    ("books", "known", "is_adopted", "needed"),
    [
        (ledger(dispatched=5), FIVE, True, False),
        (ledger(dispatched=5), FIVE, False, True),
        (ledger(dispatched=4), FIVE, True, True),
        (ledger(dispatched=6), FIVE, True, True),
        (Ledger(), FIVE, True, True),
        (Ledger(), FIVE, False, True),
        (ledger(dispatched=4, nonce="other"), FIVE, False, False),
        (ledger(dispatched=4), None, False, False),
    ],
    ids=[
        "all is known",
        "after a restart",
        "an answer was lost",
        "the broker went back",
        "no ledger",
        "no ledger after a restart",
        "another nonce",
        "no state",
    ],
)
def test_books_are_read_after_a_restart_or_when_an_answer_was_lost(
    books: Ledger, known: GroupState | None, is_adopted: bool, needed: bool
) -> None:
    assert needs_books(books, known, is_adopted=is_adopted) is needed


def test_what_the_broker_did_is_taken_over() -> None:
    books = ledger(dispatched=3, returned=indexes(0), succeeded=indexes(2))
    known = BrokerBooks(returned=indexes(1, 2), attempts={1: 1})

    adopted = adopt(books, FIVE, known, NOW)

    assert dict(adopted.cursors) == {0: 5}
    assert adopted.returned == indexes(1), "what has ended does not wait"
    assert dict(adopted.attempts) == {1: 1}
    assert (adopted.succeeded, adopted.failed) == (indexes(2), NONE)


def test_items_that_too_many_workers_died_with_are_given_up() -> None:
    books = ledger(dispatched=5, succeeded=indexes(0))
    losses = {0: OVER, 1: OVER, 2: MAX_LOSSES, 3: 1, 4: OVER + 3, 99: OVER, 2**32: OVER}

    adopted = adopt(books, FIVE, BrokerBooks(returned=indexes(4), losses=losses), NOW)

    assert adopted.failed == indexes(1, 4)
    assert [(group.failure, group.indexes) for group in adopted.failures] == [(poison(MAX_LOSSES), indexes(1, 4))]
    assert adopted.returned == NONE
    assert adopted.succeeded == indexes(0), "an end is an end"


@pytest.mark.parametrize(
    ("known", "books"),
    [(None, BrokerBooks(returned=indexes(1))), (FIVE, None), (None, None)],
    ids=["no state", "not read", "neither"],
)
def test_nothing_is_adopted_without_state_or_books(known: GroupState | None, books: BrokerBooks | None) -> None:
    mine = ledger(dispatched=3)

    assert adopt(mine, known, books, NOW) is mine


def test_what_is_known_under_another_nonce_is_not_this_groups() -> None:
    mine = ledger(dispatched=3)
    foreign = BrokerBooks(returned=indexes(1), attempts={2: 7}, losses={0: OVER})

    assert adopt(mine, state("other", cursors={0: 9}), foreign, NOW) is mine


some = st.frozensets(st.integers(0, 11)).map(FrozenBitMap)
numbers = st.dictionaries(st.integers(0, 11), st.integers(0, OVER + 1))


@given(some, some, some, numbers, numbers, st.integers(0, 10))
def test_adopting_twice_is_adopting_once(
    succeeded: FrozenBitMap,
    mine: FrozenBitMap,
    returned: FrozenBitMap,
    attempts: dict[int, int],
    losses: dict[int, int],
    cursor: int,
) -> None:
    books = ledger(10, dispatched=10, succeeded=succeeded & full(10)).withdrawn(mine & full(10))
    known, theirs = state(cursors={0: cursor}), BrokerBooks(returned, attempts, losses)

    once = adopt(books, known, theirs, NOW)

    assert adopt(once, known, theirs, NOW + 9) == once
    assert not needs_books(once, known, is_adopted=True)
    assert once.returned.isdisjoint(once.ended)
    assert once.ended >= books.ended


def test_a_running_group_goes_on_from_what_the_broker_knows() -> None:
    """The operator died between the script and its answer."""
    seen = group(
        ledger(100, dispatched=2), queue=with_state(FIVE), books=BrokerBooks(returned=indexes(1), attempts={1: 1})
    )

    plan = look(seen)

    assert only(plan, Redispatch) == [Redispatch(indexes(1))]
    assert only(plan, Dispatch)[0].start == 5
    assert dict(plan.ledger.attempts) == {1: 1}
    assert (plan.status.active, plan.events) == (4, ())


def test_a_group_whose_last_item_was_given_up_unseen_ends() -> None:
    books = ledger(5, dispatched=5, succeeded=full(4))
    seen = running(spec(5), books, queue=with_state(FIVE))

    plan = look(seen, books=BrokerBooks(losses={4: OVER}))

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.FAILED_INDEXES)
    assert plan.status.failed == 1


def test_a_halted_group_adopts_too() -> None:
    """What was read is not read again."""
    seen = group(
        ledger(100, dispatched=2),
        queue=with_state(FIVE),
        books=BrokerBooks(attempts={1: 1}, losses={3: OVER}),
        invalid=WRONG,
    )

    plan = look(seen)

    assert (dict(plan.ledger.cursors), dict(plan.ledger.attempts)) == ({0: 5}, {1: 1})
    assert (plan.ledger.failed, plan.status.failed) == (indexes(3), 1)


def test_a_state_that_the_ledger_does_not_have_yet_is_adopted() -> None:
    """The ledger was deleted."""
    theirs = GroupState("theirs", cursors={0: 5})
    seen = group(Ledger(), queue=with_state(theirs), books=BrokerBooks(returned=indexes(1)))

    plan = look(seen)

    assert (plan.actions, plan.save) == ((Open(),), True)
    assert plan.ledger.nonce == "theirs"
    assert (dict(plan.ledger.attempts), plan.ledger.returned) == ({}, indexes(1))
    assert (plan.events, plan.extra_events) == ((), ())
    assert plan.ledger.total == 100

    following = look(after(seen, plan, books=None, view=view(10)))
    assert only(following, Redispatch) == [Redispatch(indexes(1))]
    assert only(following, Dispatch)[0].start == 5


@pytest.mark.parametrize("invalid", [None, WRONG], ids=["running", "halted"])
def test_items_are_given_up_although_the_ledger_was_deleted(invalid: Trouble | None) -> None:
    """Its total is in the status: without it no item would be known, and what was read is not read again."""
    seen = group(Ledger(), queue=with_state(FIVE), books=BrokerBooks(losses={4: OVER}), invalid=invalid)

    plan = look(seen)

    assert plan.ledger.failed == indexes(4)
    assert (plan.status.total, plan.status.failed) == (100, 1)


def test_after_the_outcome_the_broker_changes_nothing_that_is_shown() -> None:
    seen = decided(running(ledger=ledger(10, dispatched=10, succeeded=full(10))))
    plain = look(seen)
    adopting = look(seen, queue=replace(with_state(FIVE), queued=0, held=0), books=BrokerBooks(losses={4: OVER}))

    assert adopting.status == plain.status


def test_the_fence_of_a_change_is_that_of_the_state_it_was_made_on() -> None:
    seen = group(queue=queue())

    assert seen.state is not None
    assert (seen.state.fence.nonce, seen.state.fence.epoch) == (NONCE, 1)
    assert group(queue=None).state is None
    assert GroupState("deleted").deleted
    assert not seen.state.deleted


def test_an_erased_state_is_said_and_nothing_is_tried_each_second() -> None:
    """Open was logged each second, and each time all items got a new attempt."""
    seen = running(ledger=ledger(10, dispatched=4), queue=queue(nonce=TOMBSTONE))

    plan = look(seen)

    assert (plan.actions, plan.save, plan.ledger.attempts) == ((), False, {})
    assert plan.wake_after == seen.resync_seconds
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.STATE_ERASED)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"cancel": True}, Reason.CANCELLED), ({"activeDeadlineSeconds": 60}, Reason.DEADLINE_EXCEEDED)],
)
def test_a_group_whose_state_was_erased_can_be_ended(fields: dict[str, Any], reason: str) -> None:
    books = ledger(10, dispatched=4, succeeded=indexes(0), running_since=NOW - 100)
    erased = queue(4, 2, nonce=TOMBSTONE)

    decision = look(running(spec(**fields), books, queue=erased))
    assert said(decision.status, ConditionType.FAILURE_TARGET) == ("True", reason)
    assert decision.actions == (), "the broker would refuse every one"
    end = look(after(running(spec(**fields), books, queue=erased), decision, queue=erased))

    assert (end.status.state, end.status.succeeded, end.status.cancelled) == ("Failed", 1, 9)
    assert end.actions == ()
