"""The end: what still runs is stopped, late completions change nothing, the object expires."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NOW,
    after,
    completions,
    decided,
    finished,
    indexes,
    ledger,
    only,
    queue,
    running,
    said,
    view,
    work,
)
from support.builders import spec as make_spec
from support.pool_builders import pods, pool, pool_look, pool_queue, workers
from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.observed import BrokerBooks, Observed, QueueState
from taskgroup.core.groups.plan import DeleteObject, Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.plan import ApplyWorkers, PoolPlan, Requeue
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.trouble import Trouble

LIMITED = make_spec(activeDeadlineSeconds=60)
HALF = ledger(10, dispatched=8, succeeded=full(5))
LATE = NOW + 100


def complete(**fields: Any) -> Observed:
    books = ledger(10, dispatched=10, succeeded=full(10))
    return replace(finished(running(make_spec(ttlSecondsAfterFinished=30), books)), **fields)


def timed_out(**fields: Any) -> Observed:
    return replace(finished(running(LIMITED, HALF), LATE), **fields)


def pool_of(seen: Observed, **fields: Any) -> PoolPlan:
    """What the pool does with what the group asks of it."""
    return pool_look(pool(demand=reconcile(seen, NOW).demand, **fields))


def test_the_outcome_is_written_before_the_end() -> None:
    first = reconcile(running(LIMITED, HALF), LATE)
    assert (first.transition, first.save, first.actions) == (True, True, ())
    assert first.demand is None, "workers go on until the outcome is written"
    assert phase_of(first.status) is Phase.DECIDED
    assert said(first.status, ConditionType.FAILURE_TARGET) == ("True", Reason.DEADLINE_EXCEEDED)
    assert said(first.status, ConditionType.FINISHED) == ("False", Reason.NOT_FINISHED)
    assert first.status.completion_time is None

    second = reconcile(after(running(LIMITED, HALF), first), LATE + 1)
    assert (second.transition, second.save, second.actions) == (True, True, ())
    assert phase_of(second.status) is Phase.FINISHED
    assert second.status.completion_time == "2027-01-15T08:01:41Z"
    assert (second.status.state, second.status.cancelled) == (State.FAILED, 5)


def test_a_late_success_changes_nothing_once_the_outcome_is_written() -> None:
    seen = decided(running(LIMITED, HALF), LATE)
    plain = reconcile(seen, LATE + 1)
    late = reconcile(replace(seen, completions=completions([7, 8])), LATE + 1)

    assert late.status == plain.status
    ended = after(seen, plain)
    assert reconcile(replace(ended, completions=completions([7], [8])), LATE + 2).status == plain.status


def test_the_transition_that_freezes_the_outcome_empties_the_queue() -> None:
    plan = reconcile(running(LIMITED, HALF, queue=queue(1, 2)), LATE)

    assert plan.transition, "the status is written before anything is taken away"
    assert plan.actions == (Withdraw(running=True),)
    assert plan.actions[0].reason == "The group has ended."
    assert plan.ledger == HALF, "the rest is cancelled in the status only"


def test_what_still_runs_is_taken_away_after_a_deadline() -> None:
    seen = timed_out(queue=queue(1, 2))
    assert only(reconcile(seen, LATE), Withdraw) == [Withdraw(running=True)]

    calm = replace(seen, queue=queue())
    assert reconcile(calm, LATE).actions == ()
    assert pool_of(calm, workers=workers(1, members=pods("a"))).actions == (ApplyWorkers(0),)
    assert pool_of(calm, workers=workers(0)).actions == ()


@pytest.mark.parametrize("lost", [queue(3, nonce=None), None], ids=["no state", "no broker"])
def test_without_the_groups_state_nothing_can_be_taken_away(lost: QueueState | None) -> None:
    """A change must carry the fence of the state; what is on the queue belongs to no group any more."""
    assert reconcile(timed_out(queue=lost), LATE).actions == ()
    halted = running(LIMITED, HALF, queue=lost, work=None)
    assert reconcile(halted, LATE).transition, "the deadline holds"
    assert reconcile(halted, LATE).actions == ()
    suspended = make_spec(suspend=True)
    assert reconcile(replace(halted, spec=suspended), NOW).actions == ()


def test_a_group_that_ended_by_itself_stops_its_workers() -> None:
    plan = pool_of(complete(), workers=workers(3))

    assert plan.actions == (ApplyWorkers(0),)
    assert plan.actions[0].reason == "The group has ended."


def test_subtasks_that_the_items_left_behind_are_still_run() -> None:
    plan = pool_of(complete(), queue=pool_queue(queued=5), workers=workers(3))

    assert plan.actions[-1] == ApplyWorkers(2)


def test_subtasks_are_not_run_after_a_deadline() -> None:
    plan = pool_of(timed_out(), queue=pool_queue(queued=5), workers=workers(3))

    assert plan.actions == (ApplyWorkers(0),)


def test_what_a_vanished_worker_held_is_given_back_unless_it_was_cancelled() -> None:
    dead = workers(1, members=pods("a", ended=True, terminating=True))

    ended = pool_of(complete(), queue=pool_queue(a=1), workers=dead)
    assert ended.actions == (Requeue("a", 0, None, count_loss=False),)
    cancelled = pool_of(timed_out(), queue=pool_queue(a=1), workers=dead)
    assert only(cancelled, Requeue) == []


@pytest.mark.parametrize(("passed", "gone"), [(0, False), (29, False), (30, True), (10**6, True)])
def test_the_object_is_removed_when_its_time_is_over(passed: float, gone: bool) -> None:
    plan = reconcile(complete(), NOW + passed)

    assert bool(only(plan, DeleteObject)) is gone
    if not gone:
        assert plan.wake_after <= 30 - passed


def test_without_a_time_to_live_the_object_stays() -> None:
    assert reconcile(timed_out(), NOW + 10**9).actions == ()


def test_a_time_to_live_of_zero_is_at_once() -> None:
    seen = complete(spec=make_spec(ttlSecondsAfterFinished=0))

    assert reconcile(seen, NOW).actions == (DeleteObject(),)


def test_the_time_to_live_may_be_given_after_the_end() -> None:
    assert only(reconcile(timed_out(spec=LIMITED), NOW + 500), DeleteObject) == []
    late = make_spec(activeDeadlineSeconds=60, ttlSecondsAfterFinished=300)
    assert only(reconcile(timed_out(spec=late), NOW + 500), DeleteObject) == [DeleteObject()]


def test_items_appended_after_the_end_leave_the_outcome_alone() -> None:
    longer = make_spec(15)
    seen = complete(spec=longer, work=work(longer))

    status = reconcile(seen, NOW + 1).status

    assert said(status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.GROUP_ENDED)
    assert said(status, ConditionType.COMPLETE) == ("True", Reason.COMPLETIONS_REACHED)
    assert said(status, ConditionType.READY) == ("False", Reason.GROUP_ENDED), "who waits for the append must see it"
    assert said(status, ConditionType.STALLED)[0] == "True"
    assert (status.state, status.total, status.progress) == (State.COMPLETE, 10, "10/10")


def test_resuming_or_suspending_an_ended_group_does_nothing() -> None:
    seen = complete(spec=make_spec(suspend=True))

    plan = reconcile(seen, NOW)

    assert (plan.actions, plan.events) == ((), ())
    assert plan.status == seen.status
    assert plan.demand == reconcile(complete(), NOW).demand
    assert plan.demand is not None
    assert (plan.demand.ended, plan.demand.items) == (True, 0)


@pytest.mark.parametrize("seen", [complete(), timed_out()], ids=["complete", "timed out"])
def test_an_ended_group_keeps_its_figures_when_the_books_are_gone(seen: Observed) -> None:
    plan = reconcile(replace(seen, ledger=Ledger()), NOW + 1)

    assert plan.status == seen.status
    assert plan.events == ()
    assert not plan.save, "empty books are not worth keeping"


@pytest.mark.parametrize("seen", [complete(), timed_out()], ids=["complete", "timed out"])
def test_what_the_broker_knows_changes_no_outcome(seen: Observed) -> None:
    books = BrokerBooks(losses={9: MAX_LOSSES + 1})
    plan = reconcile(replace(seen, queue=queue(), books=books), NOW + 1)

    assert plan.status == seen.status
    assert plan.events == ()


def test_what_the_deadline_left_is_taken_away_although_the_books_are_gone() -> None:
    seen = timed_out(ledger=Ledger(), queue=queue(3))

    assert only(reconcile(seen, LATE), Withdraw) == [Withdraw(running=True)]


def test_figures_stay_as_the_outcome_froze_them_when_the_books_are_lost_right_after_it() -> None:
    books = ledger(10, dispatched=10, succeeded=full(9), failed=indexes(9))
    seen = replace(decided(running(ledger=books)), ledger=Ledger())

    plan = reconcile(seen, NOW + 1)

    assert (plan.status.state, plan.status.succeeded, plan.status.failed) == (State.FAILED, 9, 1)
    assert plan.status.completion_time


def test_workers_are_spoken_of_while_there_are_leftovers() -> None:
    """Not as long as the pool's view has some: it is from before the end for a moment."""
    left = reconcile(complete(queue=queue(3), view=view(1)), NOW).status
    assert said(left, ConditionType.WORKERS_READY) == ("True", Reason.WORKERS_READY)

    crashed = view(3, trouble=Trouble(Reason.WORKER_CRASHES, "Look at its log."))
    plan = reconcile(complete(view=crashed), NOW)
    assert said(plan.status, ConditionType.WORKERS_READY) == ("True", Reason.NO_WORKERS_NEEDED)
    assert plan.events == ()
    late = reconcile(timed_out(queue=queue(3), view=crashed), NOW).status
    assert said(late, ConditionType.WORKERS_READY) == ("True", Reason.NO_WORKERS_NEEDED)
