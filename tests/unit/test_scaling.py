"""How many worker pods, and that none of them is stopped at work."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import broker, ledger, pods, spec, workers
from taskgroup.core.groups.observed import WorkerFacts
from taskgroup.core.groups.plan import ApplyWorkers, MarkPods
from taskgroup.core.indexes import full
from taskgroup.core.pools.scaling import pods_for, scale, slots


@pytest.mark.parametrize(
    ("items", "expected"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2), (39, 10), (40, 10), (41, 10), (10_000, 10)]
)
def test_pods_follow_what_is_left(items: int, expected: int) -> None:
    assert pods_for(items, spec(workers={"concurrency": 4, "maxReplicas": 10})) == expected


def test_slots_count_unfinished_items_not_the_queue() -> None:
    books = ledger(20, sent=3, succeeded=full(13))

    assert slots(books, spec(workers={"concurrency": 4})) == 8


def test_no_deployment_is_made_for_nothing() -> None:
    assert scale(0, WorkerFacts(), broker(), "why") == ()
    assert scale(2, WorkerFacts(), broker(), "why") == (ApplyWorkers(2, "why"),)


def test_scales_up_at_once() -> None:
    assert scale(5, workers(2, members=pods("a", "b")), broker(a=4, b=4), "why") == (ApplyWorkers(5, "why"),)


def test_leaves_what_fits_and_repairs_what_somebody_changed() -> None:
    assert scale(2, workers(2), broker(), "why") == ()
    assert scale(2, workers(2, settled=False), broker(), "why") == (ApplyWorkers(2, "why"),)


def test_idle_pods_are_marked_before_some_are_stopped() -> None:
    facts = workers(3, members=pods("a", "b", "c"))

    assert scale(1, facts, broker(b=1), "why") == (MarkPods(("a", "c"), ("b",)), ApplyWorkers(1, "why"))


def test_nothing_is_marked_when_all_are_stopped() -> None:
    assert scale(0, workers(3, members=pods("a", "b", "c")), broker(), "why") == (ApplyWorkers(0, "why"),)


def test_pods_on_their_way_out_are_neither_busy_nor_idle() -> None:
    members = (*pods("a"), *pods("b", terminating=True), *pods("c", ended=True))

    assert scale(0, workers(3, members=members), broker(b=1, c=2), "why") == (ApplyWorkers(0, "why"),)


@given(
    wanted=st.integers(0, 8),
    replicas=st.integers(0, 8),
    held=st.lists(st.integers(0, 3), max_size=8),
    settled=st.booleans(),
)
def test_never_fewer_pods_than_are_busy(wanted: int, replicas: int, held: list[int], settled: bool) -> None:
    names = [f"p{number}" for number in range(len(held))]
    facts = workers(replicas, members=pods(*names), settled=settled)
    load = replace(broker(), unacked=dict(zip(names, held, strict=True)))
    busy = sum(1 for count in held if count)

    actions = scale(wanted, facts, load, "why")

    applied = [action.replicas for action in actions if isinstance(action, ApplyWorkers)]
    result = applied[0] if applied else replicas
    assert result >= min(busy, replicas) or result >= wanted >= replicas
    assert result >= min(wanted, replicas)
    assert not (result < replicas and result < busy)
    assert scale(wanted, workers(result, members=pods(*names)), load, "why") == (), "doing it again does nothing"
