"""How many worker pods, and that none of them is stopped at work."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import spec
from support.pool_builders import demand, ended, pods, pool, pool_queue, workers
from taskgroup.core.action import Action
from taskgroup.core.exchange import Demand
from taskgroup.core.pools.observed import PoolQueue, WorkerFacts
from taskgroup.core.pools.plan import ApplyWorkers, MarkPods
from taskgroup.core.pools.scaling import changes_pods, pods_for, pods_wanted, scale

WORKERS = spec(workers={"concurrency": 4, "maxReplicas": 10}).workers
THREE = pods("a", "b", "c")
NO_QUEUE: PoolQueue = pool_queue()


def scaled(wanted: int, facts: WorkerFacts, queue: PoolQueue | None = NO_QUEUE, **fields: Any) -> tuple[Action, ...]:
    return scale(pool(workers=facts, queue=queue, **fields), wanted)


@pytest.mark.parametrize(
    ("items", "expected"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2), (39, 10), (40, 10), (41, 10), (10_000, 10)]
)
def test_pods_follow_what_is_left(items: int, expected: int) -> None:
    assert pods_for(items, WORKERS) == expected


def test_no_deployment_is_made_for_nothing() -> None:
    assert scaled(0, WorkerFacts()) == ()
    assert scaled(2, WorkerFacts()) == (ApplyWorkers(2),)


def test_scales_up_at_once() -> None:
    assert scaled(5, workers(2, members=pods("a", "b")), pool_queue(a=4, b=4)) == (ApplyWorkers(5),)


def test_leaves_what_fits_and_repairs_what_somebody_changed() -> None:
    assert scaled(2, workers(2)) == ()
    assert scaled(2, workers(2, settled=False)) == (ApplyWorkers(2),)


def test_workers_that_were_stopped_are_left_as_they_are() -> None:
    """Each start of the operator applied the Deployment of every finished group again."""
    assert scaled(0, workers(0, settled=False)) == ()
    assert scaled(1, workers(0, settled=False)) == (ApplyWorkers(1),)


def test_idle_pods_are_marked_before_some_are_stopped() -> None:
    assert scaled(1, workers(3, members=THREE), pool_queue(b=1)) == (MarkPods(("a", "c"), ("b",)), ApplyWorkers(1))


def test_nothing_is_marked_when_all_are_stopped() -> None:
    assert scaled(0, workers(3, members=THREE)) == (ApplyWorkers(0),)


def test_pods_on_their_way_out_are_neither_busy_nor_idle() -> None:
    members = (*pods("a"), *pods("b", terminating=True), *pods("c", ended=True))

    assert scaled(0, workers(3, members=members), pool_queue(b=1, c=2)) == (ApplyWorkers(0),)


def test_the_reason_is_the_demands() -> None:
    assert {action.reason for action in scaled(1, workers(3, members=THREE))} == {"why"}


def test_without_a_broker_nobody_is_known_to_be_idle() -> None:
    busy_or_not = workers(3, members=THREE)

    assert scaled(1, busy_or_not, None) == ()
    assert scaled(5, WorkerFacts(), None) == ()
    assert scaled(0, busy_or_not, None, demand=ended()) == (ApplyWorkers(0),), "after the end all may go"


def test_workers_that_cannot_be_described_can_only_be_stopped_when_there_is_nothing_to_run() -> None:
    facts = workers(3, members=THREE)
    assert scaled(0, facts, workers_spec=None) == ()
    assert scaled(2, facts, workers_spec=None) == ()
    assert scaled(0, facts, workers_spec=None, demand=ended()) == (ApplyWorkers(0),)
    assert scaled(0, facts, None, workers_spec=None, demand=ended()) == (ApplyWorkers(0),)
    assert scaled(0, facts, workers_spec=None, demand=demand(0)) == (ApplyWorkers(0),), "suspended"
    busy = pool_queue(a=1)
    assert scaled(0, facts, busy, workers_spec=None, demand=ended()) == (), "all of them would be stopped"
    assert scaled(0, facts, busy, workers_spec=None, demand=demand(0)) == (), "all of them would be stopped"


def test_pods_are_wanted_for_what_the_group_asks() -> None:
    assert pods_wanted(pool(demand=demand(20))) == 5
    assert pods_wanted(pool(demand=demand(0), queue=pool_queue(queued=9))) == 0, "a suspended group's subtasks wait"
    assert pods_wanted(pool(demand=demand(20), workers_spec=None)) == 0


def test_pods_are_wanted_for_subtasks_too() -> None:
    """One item with sixteen members of a chord had a single pod, with maxReplicas of four."""
    four = spec(workers={"concurrency": 1, "maxReplicas": 4}).workers

    assert pods_wanted(pool(demand=demand(1), workers_spec=four, queue=pool_queue(queued=15, a=1))) == 4
    assert pods_wanted(pool(demand=demand(1), workers_spec=four, queue=pool_queue(queued=1, a=1))) == 2
    assert pods_wanted(pool(demand=demand(0), workers_spec=four, queue=pool_queue(queued=15))) == 0, "suspended"
    waiting = Demand(leftovers=True)
    assert pods_wanted(pool(demand=waiting, workers_spec=four, queue=pool_queue(queued=15))) == 4, "of items that wait"
    assert pods_wanted(pool(demand=waiting, workers_spec=four, queue=pool_queue())) == 0


def test_the_log_says_what_the_number_follows_from() -> None:
    """Four pods were made because "1 items are left"."""
    seen = pool(demand=demand(1), workers_spec=WORKERS, workers=workers(1), queue=pool_queue(queued=7, a=1))
    items, messages = [scale(replace(seen, demand=demand(count)), 2)[0].reason for count in (8, 1)]

    assert items == seen.demand.reason
    assert messages == "8 messages wait or are held, 4 at once in a pod."


@pytest.mark.parametrize(
    ("asked", "queue", "wanted"),
    [
        (ended(), pool_queue(queued=5), 2),
        (ended(), pool_queue(queued=3, a=1, b=1), 2),
        (ended(), pool_queue(), 0),
        (ended(), pool_queue(queued=1_000), 10),
        (ended(leftovers=False), pool_queue(queued=5), 0),
        (ended(items=100), pool_queue(), 0),
        (ended(), None, 0),
    ],
    ids=["queued", "and held", "nothing left", "bounded", "time was up", "items do not count", "no broker"],
)
def test_after_the_end_pods_are_wanted_for_what_is_left_behind(
    asked: Demand, queue: PoolQueue | None, wanted: int
) -> None:
    assert pods_wanted(pool(demand=asked, queue=queue)) == wanted


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, demand(20), True),
        (demand(20), demand(20), False),
        (demand(20), demand(19), False),
        (demand(20), Demand(items=20, reason="another"), False),
        (demand(20), demand(16), True),
        (demand(20), demand(24), True),
        (demand(1_000), demand(900), False),
        (demand(0), demand(1), True),
        (demand(1), demand(0), True),
        (demand(0), ended(), True),
        (ended(), ended(leftovers=False), True),
        (ended(), ended(give_back=False), True),
        (ended(), ended(), False),
    ],
)
def test_the_pool_looks_at_once_when_the_number_of_pods_changes(
    before: Demand | None, after: Demand, changes: bool
) -> None:
    assert changes_pods(before, after, WORKERS) is changes
    assert changes_pods(before, after, None), "without workers nobody knows how many items a pod runs"


@given(
    wanted=st.integers(0, 8),
    replicas=st.integers(0, 8),
    held=st.lists(st.integers(0, 3), max_size=8),
    settled=st.booleans(),
)
def test_never_fewer_pods_than_are_busy(wanted: int, replicas: int, held: list[int], settled: bool) -> None:
    names = [f"p{number}" for number in range(len(held))]
    facts = workers(replicas, members=pods(*names), settled=settled)
    load = PoolQueue(held=dict(zip(names, held, strict=True)))
    busy = sum(1 for count in held if count)

    actions = scaled(wanted, facts, load)

    applied = [action.replicas for action in actions if isinstance(action, ApplyWorkers)]
    result = applied[0] if applied else replicas
    assert result >= min(busy, replicas) or result >= wanted >= replicas
    assert result >= min(wanted, replicas)
    assert not (result < replicas and result < busy)
    assert scaled(wanted, workers(result, members=pods(*names)), load) == (), "doing it again does nothing"
