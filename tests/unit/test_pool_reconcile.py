"""The decision about a pool as a whole: its order, what it tells the group, and when it looks again."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, UID, indexes, ledger, look, only, running, said, spec
from support.pool_builders import demand, ended, pods, pool, pool_after, pool_look, pool_queue, workers
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.core.exchange import Demand, View
from taskgroup.core.groups.observed import Observed
from taskgroup.core.pools.claims import LEAST_SECONDS
from taskgroup.core.pools.observed import PoolObserved, WorkerFacts
from taskgroup.core.pools.plan import ApplyWorkers, AskClaims, MarkPods, Requeue
from taskgroup.core.pools.reconcile import FOLLOW_SECONDS, WORKING_SECONDS
from taskgroup.core.task_id import TaskId
from taskgroup.core.trouble import Trouble

CRASH = Trouble(Reason.WORKER_CRASHES, "Look at its log.")
MEMBERS = (*pods("a", "b"), *pods("c", ready=False, restarts=2), *pods("d", ended=True, ready=False))
TWO = workers(2, members=pods("a", "b"))


def test_the_view_says_what_the_group_may_know() -> None:
    seen = pool(
        demand=demand(10),
        workers=replace(workers(4, members=MEMBERS), trouble=CRASH),
        queue=pool_queue(queued=7, a=4, b=0, d=1),
        given_up=frozenset({TaskId(UID, 3)}),
    )

    assert pool_look(seen).view == View(
        slots=12,
        wanted=3,
        replicas=3,
        ready=4,
        busy=2,
        trouble=CRASH,
        pods=("a", "b", "c", "d"),
        live_pods=frozenset({"a", "b", "c"}),
        given_up=frozenset({TaskId(UID, 3)}),
        current=True,
    )


def test_the_view_is_of_what_is_wanted_and_not_of_what_runs() -> None:
    """Items may be dispatched while the pods start: the queue is filled when they are ready."""
    new = pool_look(pool(demand=demand(100))).view
    assert (new.slots, new.wanted, new.replicas, new.ready) == (40, 10, 0, 0)

    leaving = pool_look(pool(demand=ended(), workers=workers(10, members=pods("a")))).view
    assert (leaving.slots, leaving.wanted, leaving.replicas, leaving.ready) == (0, 0, 1, 10)


def test_workers_that_cannot_be_described_run_nothing() -> None:
    view = pool_look(pool(workers_spec=None, workers=workers(3, members=pods("a")))).view

    assert (view.slots, view.wanted, view.replicas, view.ready) == (0, 0, 1, 3)


def test_without_a_broker_the_view_still_says_what_runs() -> None:
    view = pool_look(pool(queue=None, workers=workers(3, members=pods("a", "b")))).view

    assert (view.slots, view.replicas, view.ready, view.busy) == (40, 2, 3, 0)


def test_what_is_given_back_comes_first_and_questions_last() -> None:
    """Else a pod more would be wanted, or marked, for what lies with a dead one."""
    members = (*pods("a", started_at=NOW - 100), *pods("b", ended=True))
    queue = pool_queue(a=2, b=1, oldest=NOW - 100)
    seen = pool(demand=demand(4), workers=workers(3, members=members), queue=queue)

    assert pool_look(seen).actions == (
        Requeue("b", 0, None, count_loss=True),
        MarkPods((), ("a",)),
        ApplyWorkers(1),
        AskClaims(("a",)),
    )


def test_what_an_ended_pool_gives_back_is_what_is_left_to_run() -> None:
    dead = workers(1, members=pods("a", ended=True))
    seen = pool(demand=ended(), workers=dead, queue=pool_queue(a=1))
    assert pool_look(seen).actions == (Requeue("a", 0, None, count_loss=True),), "one pod is kept for it"

    done = pool_after(seen, pool_look(seen))
    assert pool_look(done).actions == ()
    assert pool_look(done).view.wanted == 1
    assert pool_look(replace(done, queue=pool_queue())).actions == (ApplyWorkers(0),)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"demand": demand(100)}, WORKING_SECONDS),
        ({"workers": workers(3, members=pods("a", ended=True)), "queue": pool_queue(a=1)}, FOLLOW_SECONDS),
        ({"workers": workers(3), "workers_spec": None}, WORKING_SECONDS),
        ({"demand": demand(40), "workers": workers(10)}, WORKING_SECONDS),
        ({"demand": demand(0), "workers": workers(0)}, 30.0),
        ({"demand": ended(), "workers": workers(0)}, 30.0),
        ({"demand": ended(), "workers": workers(1, members=pods("a")), "queue": pool_queue(a=1)}, LEAST_SECONDS),
        (
            {"demand": ended(), "workers": workers(2, members=pods("a", "b")), "queue": pool_queue(a=1, b=1)},
            FOLLOW_SECONDS,
        ),
        ({"demand": demand(0), "workers": workers(1, members=pods("a")), "queue": pool_queue(a=1)}, FOLLOW_SECONDS),
        ({"demand": demand(40), "workers": workers(10), "resync_seconds": 3.0}, 3.0),
        ({"demand": demand(100), "resync_seconds": 0.5}, 0.5),
    ],
    ids=[
        "a Deployment is applied",
        "something is given back",
        "workers that cannot be described",
        "items are run",
        "suspended",
        "ended",
        "leftovers are run",
        "by more pods than are wanted",
        "a busy pod too many",
        "a short resync time",
        "a very short one",
    ],
)
def test_the_next_look_comes_when_something_may_have_changed(fields: dict[str, Any], seconds: float) -> None:
    assert pool_look(pool(**fields)).wake_after == seconds


@pytest.mark.parametrize(
    "seen",
    [
        pool(),
        pool(workers=workers(3, members=pods("a", "b", "c")), demand=demand(3), queue=pool_queue(b=2)),
        pool(workers=workers(3, members=MEMBERS), demand=demand(0), queue=pool_queue(a=2, d=3)),
        pool(workers=workers(3, members=MEMBERS), demand=ended(), queue=pool_queue(queued=9, a=2, d=3)),
        pool(workers=workers(3, members=MEMBERS), demand=ended(give_back=False), queue=pool_queue(d=3)),
        pool(workers=workers(3, members=MEMBERS, settled=False), demand=demand(12)),
        pool(workers=workers(3), workers_spec=None, demand=ended()),
    ],
    ids=["new", "too many", "suspended", "leftovers", "cancelled", "changed", "no spec"],
)
def test_done_once_there_is_nothing_more_to_do(seen: PoolObserved) -> None:
    plan = pool_look(seen)

    assert plan.actions != () or not seen.demand.give_back
    assert pool_look(pool_after(seen, plan)).actions == ()


def test_a_dead_worker_s_items_go_back_while_the_group_goes_on() -> None:
    members = (*pods("a"), *pods("b", ended=True))
    seen = pool(workers=workers(10, members=members), queue=pool_queue(a=4, b=2))

    assert only(pool_look(seen), Requeue) == [Requeue("b", 0, None, count_loss=True)]


def test_a_pool_whose_group_has_said_nothing_makes_no_workers() -> None:
    assert pool_look(pool(demand=Demand(), workers=WorkerFacts())).actions == ()


def group(**fields: Any) -> Observed:
    return running(spec(100), ledger(100, dispatched=10), **fields)


def test_what_keeps_workers_from_running_is_told_by_the_group() -> None:
    view = pool_look(pool(workers=replace(workers(10), trouble=CRASH))).view

    plan = look(group(view=view))

    assert said(plan.status, ConditionType.WORKERS_READY) == ("False", Reason.WORKER_CRASHES)
    assert [event.reason for event in plan.events] == [EventReason.WORKERS_NOT_READY]


def test_what_the_pool_gives_up_the_group_counts_as_failed() -> None:
    view = pool_look(pool(given_up=frozenset({TaskId(UID, 3)}))).view

    assert look(group(view=view)).ledger.failed == indexes(3)
