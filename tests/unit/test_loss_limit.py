"""How many workers may die with an item is what the spec says, for the pool and for the group alike."""

from typing import Any

import pytest

from support.builders import ledger, look, running, spec, view
from support.pool_builders import pods, pool, pool_queue, workers
from support.stories import die_of
from support.world import World
from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure
from taskgroup.core.exchange import MAX_LOSSES, SUSPECT_LOSSES
from taskgroup.core.groups.observed import BrokerBooks
from taskgroup.core.groups.suspects import suspects
from taskgroup.core.pools.giving_back import requeues
from taskgroup.core.pools.plan import Requeue
from taskgroup.core.pools.pool_spec import loss_limit


def with_limit(limit: int) -> dict[str, Any]:
    return {"retryPolicy": {"maxWorkerLosses": limit}}


def test_three_when_nothing_is_said() -> None:
    assert loss_limit(None) == loss_limit(spec()) == loss_limit(spec(retryPolicy={"limit": 2})) == MAX_LOSSES
    assert loss_limit(spec(**with_limit(5))) == 5


@pytest.mark.parametrize(("limit", "suspect"), [(1, 1), (2, 2), (5, SUSPECT_LOSSES)])
def test_the_pool_gives_back_up_to_it(limit: int, suspect: int) -> None:
    seen = pool(workers=workers(1, members=pods("a", ended=True)), queue=pool_queue(a=1), loss_limit=limit)

    (action,) = requeues(seen)

    assert isinstance(action, Requeue)
    assert (action.loss_limit, action.suspect_losses) == (limit, suspect)


@pytest.mark.parametrize(("losses", "is_lost"), [(5, False), (6, True)])
def test_a_new_operator_gives_up_what_has_lost_more(losses: int, is_lost: bool) -> None:
    seen = running(spec(10, **with_limit(5)), ledger(10, dispatched=10), view=view(1))
    plan = look(seen, books=BrokerBooks(losses={4: losses}))

    assert (4 in plan.ledger.failed) is is_lost
    if is_lost:
        assert plan.ledger.failures[0].failure == Failure(Reason.LOST, "6 workers died while they ran it.")


def test_who_is_the_last_suspect_follows_it() -> None:
    books = ledger(10, dispatched=10, losses={1: 2, 2: 3, 3: 5})
    found = suspects(books, spec(10, **with_limit(5)))

    assert (set(found.all), set(found.last)) == ({1, 2, 3}, {3})


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_poison_item_costs_one_worker_more_than_that(limit: int) -> None:
    world = World(spec(1, workers={"concurrency": 1, "maxReplicas": 1}, **with_limit(limit)))
    die_of(world, 60)

    assert world.status.failures
    assert world.status.failures[0].message == f"{limit + 1} workers died while they ran it."
    assert sum(isinstance(action, Requeue) for action in world.actions) == limit + 1
