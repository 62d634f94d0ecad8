"""What a suspension takes back, and what it stops."""

from dataclasses import replace

import pytest

from support.builders import NOW, after, indexes, ledger, look, only, queue, running, spec
from taskgroup.api.names import Reason
from taskgroup.core.action import Action
from taskgroup.core.groups.plan import Redispatch, Stop, Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.groups.suspension import STOP_SECONDS
from taskgroup.core.trouble import Trouble

DRAIN = spec(suspend=True)
STOP = spec(suspend=True, suspendMode="Stop")
BOOKS = ledger(10, dispatched=6, succeeded=indexes(0))


def moves(actions: tuple[Action, ...]) -> list[Action]:
    return [action for action in actions if isinstance(action, Stop | Withdraw | Redispatch)]


def test_drain_takes_back_what_waits_once_and_leaves_what_runs() -> None:
    seen = running(DRAIN, BOOKS, queue=queue(3, 2))

    plan = reconcile(seen, NOW)

    assert moves(plan.actions) == [Withdraw(running=False)]
    assert moves(look(after(seen, plan)).actions) == []


def test_stop_takes_what_runs_as_well() -> None:
    seen = running(STOP, BOOKS, queue=queue(3, 2))

    plan = reconcile(seen, NOW)

    assert moves(plan.actions) == [Stop()]
    assert plan.demand is not None
    assert plan.demand.items == 0


def test_a_group_that_drains_may_be_stopped_and_what_a_worker_took_meanwhile_is_stopped_later() -> None:
    seen = running(DRAIN, BOOKS, queue=queue(0, 2))
    drained = after(seen, reconcile(seen, NOW), spec=STOP)

    plan = reconcile(drained, NOW + 1)
    again = after(drained, plan)

    assert moves(plan.actions) == [Stop()]
    assert moves(look(again, NOW + 2).actions) == [], "it is not repeated at each look"
    assert moves(look(again, NOW + 1 + STOP_SECONDS).actions) == [Stop()]
    stopped = replace(again, ledger=again.ledger.withdrawn(indexes(range(1, 6))))
    assert moves(look(stopped, NOW + 60).actions) == [], "what is left are subtasks"


@pytest.mark.parametrize("left", [queue(), None])
def test_nothing_is_stopped_where_nothing_is_held(left: object) -> None:
    assert moves(look(running(STOP, BOOKS, queue=left)).actions) == []


def test_a_halted_group_can_be_stopped() -> None:
    wrong = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")
    begun = reconcile(running(ledger=BOOKS, queue=queue(3, 2)), NOW)
    seen = running(STOP, BOOKS, queue=queue(3, 2), status=begun.status, invalid=wrong)

    assert moves(reconcile(seen, NOW).actions) == [Stop()]


def test_resuming_sends_what_was_stopped() -> None:
    books = BOOKS.renewed({1: 1}).withdrawn(indexes(range(2, 6)))
    seen = running(spec(suspendMode="Stop"), books)

    assert only(reconcile(seen, NOW), Redispatch) == [Redispatch(indexes(range(1, 6)))]
