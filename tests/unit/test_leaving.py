"""A namespace that goes with its own Redis: what stops there stops at once."""

from dataclasses import replace
from typing import Any

import pytest

from support.pool_builders import pods, pool, pool_after, pool_look, pool_queue, workers
from taskgroup.core.pools.observed import PoolObserved
from taskgroup.core.pools.plan import StopPod

STOPPING = pods("a", terminating=True)
MEMBERS = (*STOPPING, *pods("b"), *pods("c", terminating=True, ended=True))


def leaving(**fields: Any) -> PoolObserved:
    """A worker stops, another has not been told yet, a third has ended."""
    base: dict[str, Any] = {"workers": workers(12, members=MEMBERS), "queue": None, "leaving": True}
    return pool(**base | fields)


def stopped(seen: PoolObserved) -> list[StopPod]:
    return [action for action in pool_look(seen).actions if isinstance(action, StopPod)]


def test_a_worker_without_its_broker_is_not_given_its_grace() -> None:
    """Kubernetes deletes the TaskGroup when all pods have ended: a worker tried to store results for all its grace."""
    (action,) = stopped(leaving())
    assert (action.pod, action.at_once) == ("a", True)
    assert stopped(pool_after(leaving(), pool_look(leaving()))) == []


@pytest.mark.parametrize("seen", [leaving(leaving=False), leaving(queue=pool_queue(a=1))], ids=["stays", "answers"])
def test_elsewhere_and_with_its_broker_it_is(seen: PoolObserved) -> None:
    assert stopped(seen) == []
    assert stopped(replace(seen, demand=replace(seen.demand, items=0))) == []
