"""What a running group puts on the queue, or takes from it, in one step."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import indexes, ledger, look, only, queue, running, spec, view
from taskgroup.api.names import Reason
from taskgroup.core.exchange import View
from taskgroup.core.groups.observed import Observed, Window
from taskgroup.core.groups.plan import Dispatch, Redispatch, Withdraw
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble

SUSPENDED = spec(100, suspend=True)
AWAY = Trouble(Reason.UNREACHABLE, "Start Redis.")


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def test_items_are_dispatched_for_what_the_workers_run_at_once() -> None:
    assert only(look(group(view=view(10))), Dispatch) == [Dispatch(0, 0, indexes(range(81)))]
    assert only(look(group(view=view(2))), Dispatch) == [Dispatch(0, 0, indexes(range(17)))]


@pytest.mark.parametrize("shown", [None, view(0), view(0, replicas=2, ready=2)], ids=["no view", "none", "leaving"])
def test_nothing_is_dispatched_while_the_view_has_no_slots(shown: View | None) -> None:
    """Neither what is new nor what came back; the window waits for the first look with slots."""
    seen = group(ledger(100, dispatched=5, returned=indexes(1)), view=shown)
    plan = look(seen)

    assert only(plan, Dispatch) == only(plan, Redispatch) == []
    assert plan.carried.window == seen.carried.window
    assert only(look(seen, view=view(1)), Redispatch) == [Redispatch(indexes(1))]


def test_slots_count_although_no_pod_is_ready_yet() -> None:
    assert only(look(group(view=view(10, replicas=0, ready=0))), Dispatch) == [Dispatch(0, 0, indexes(range(81)))]


def test_parallelism_bounds_what_is_in_flight() -> None:
    limited = running(spec(100, parallelism=7), ledger(100, dispatched=5))

    assert only(look(limited), Dispatch) == [Dispatch(0, 5, indexes(5, 6))]
    assert only(look(limited, ledger=ledger(100, dispatched=7)), Dispatch) == []


def test_what_waits_comes_back_once_when_parallelism_is_lowered() -> None:
    lowered = running(spec(100, parallelism=5), ledger(100, dispatched=50), queue=queue(42, 8))

    plan = look(lowered)
    assert only(plan, Withdraw) == [Withdraw(running=False)]
    assert plan.actions[0].reason == "spec.parallelism was lowered."
    assert only(plan, Dispatch) == []

    back = ledger(100, dispatched=50, returned=indexes(range(8, 50)))
    after = look(lowered, ledger=back, carried=plan.carried, queue=queue(3, 8))
    assert only(after, Withdraw) == [], "what is left on the queue are subtasks"
    assert only(after, Redispatch) == []

    fewer = look(lowered, ledger=replace(back, succeeded=indexes(range(6))), carried=after.carried, queue=queue(0, 2))
    assert only(fewer, Redispatch) == [Redispatch(indexes(8, 9, 10))]


def test_a_lower_parallelism_counts_before_the_pool_has_said_anything() -> None:
    lowered = running(spec(100, parallelism=5), ledger(100, dispatched=50), queue=queue(42), view=None)

    assert only(look(lowered), Withdraw) == [Withdraw(running=False)]


def test_with_fewer_pods_than_before_no_more_is_sent_than_those_run_that_may_stay() -> None:
    """Ten pods were busy for as long as items were left: each found another one on the queue."""
    fewer = spec(200, workers={"maxReplicas": 2})
    crowded = view(2, replicas=10, ready=10, busy=10)
    lowered = running(fewer, ledger(200, dispatched=81), queue=queue(41, 40), view=crowded)

    plan = look(lowered)
    assert only(plan, Withdraw) == [Withdraw(running=False)]
    assert plan.actions[0].reason == "spec.workers.maxReplicas was lowered."

    back = ledger(200, dispatched=81, returned=indexes(range(40, 81)))
    waits = look(lowered, ledger=back, carried=plan.carried, queue=queue(0, 40))
    assert waits.actions == (), "40 run, and 8 may"

    ended = replace(back, succeeded=indexes(range(35)))
    assert only(look(lowered, ledger=ended, carried=waits.carried, queue=queue(0, 5)), Redispatch) == [
        Redispatch(indexes(range(40, 43)))
    ]
    alone = look(lowered, ledger=ended, carried=waits.carried, queue=queue(0, 5), view=view(2))
    assert only(alone, Redispatch) == [Redispatch(indexes(range(40, 52)))], "the others are gone"


def test_nothing_is_withdrawn_while_parallelism_is_kept() -> None:
    within = running(spec(100, parallelism=50), ledger(100, dispatched=50), queue=queue(42, 8))

    assert only(look(within), Withdraw) == []


def test_nothing_is_dispatched_while_broker_or_results_are_away() -> None:
    assert only(look(group(), backend_trouble=AWAY), Dispatch) == []
    assert look(group(), backend_trouble=AWAY, queue=None).actions == ()
    assert look(group(), queue=None).actions == ()
    assert look(group(), queue=None).carried.window == Window()


def test_suspension_withdraws_what_waits_and_lets_run_what_runs() -> None:
    seen = group(ledger(100, dispatched=20), queue=queue(18, 2))

    plan = look(seen, spec=SUSPENDED)

    assert plan.actions == (Withdraw(running=False),)
    assert plan.actions[0].reason == "The group is suspended."
    after = replace(seen, spec=SUSPENDED, status=plan.status)
    assert only(look(after), Withdraw) == [], "only once: what is put there since are subtasks"


def test_suspended_with_an_empty_queue_there_is_nothing_to_do() -> None:
    seen = group(ledger(100, dispatched=20, returned=full(20)))

    assert look(seen, spec=SUSPENDED).actions == ()


def test_resuming_dispatches_what_was_withdrawn_first() -> None:
    seen = group(ledger(100, dispatched=20, returned=indexes(3, 4)))

    assert only(look(seen), Redispatch) == [Redispatch(indexes(3, 4))]
