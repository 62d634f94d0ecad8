"""When a worker is asked how it acknowledges, and what the user reads of the answer."""

from typing import Any

import pytest

from support.builders import NOW, condition, ledger, look, only, running, spec, view
from support.pool_builders import demand, ended, pods, pool, pool_look, workers
from taskgroup.api.names import ConditionType
from taskgroup.core.groups.observed import Observed
from taskgroup.core.pools.early_acks import ASK_AFTER_SECONDS
from taskgroup.core.pools.observed import PoolObserved
from taskgroup.core.pools.plan import AskWorker

LATER = NOW + ASK_AFTER_SECONDS
STARTING = pods("new", ready=False, started_at=NOW)
GOING = (*pods("going", terminating=True, started_at=NOW), *pods("gone", ended=True, started_at=NOW))
READY = workers(2, members=(*STARTING, *GOING, *pods("a", "b", started_at=NOW)))


def unasked(**fields: Any) -> PoolObserved:
    """A pool none of whose workers was asked."""
    return pool(**{"workers": READY, "early_ack_tasks": None, **fields})


def message_of(seen: Observed) -> str:
    return condition(look(seen).status, ConditionType.WORKERS_READY).message


def test_one_ready_worker_is_asked_once_it_runs_for_a_while() -> None:
    assert only(pool_look(unasked(), LATER), AskWorker) == [AskWorker("a")]
    assert only(pool_look(unasked(), LATER - 0.1), AskWorker) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"demand": demand(0)},
        {"demand": ended()},
        {"workers": workers(1, members=STARTING)},
        {"workers": workers(1, members=GOING)},
        {"workers": workers(1, members=pods("a"))},
        {"early_ack_tasks": frozenset()},
        {"queue": None},
    ],
    ids=[
        "no item is left",
        "the group has ended",
        "no worker is ready",
        "they are stopping",
        "its start is unknown",
        "one has answered",
        "no broker",
    ],
)
def test_nobody_is_asked_else(fields: dict[str, Any]) -> None:
    assert only(pool_look(unasked(**fields), LATER), AskWorker) == []


def test_the_group_hears_what_the_worker_answered() -> None:
    assert pool_look(unasked()).view.early_ack_tasks is None
    answer = frozenset({"shop.send"})
    assert pool_look(unasked(early_ack_tasks=answer)).view.early_ack_tasks == answer


def test_the_condition_names_the_groups_tasks_that_are_acknowledged_early() -> None:
    message = message_of(running(view=view(2, early_ack_tasks=frozenset({"shop.send", "shop.other"}))))

    assert message.startswith("Workers run. Acknowledged before they run: shop.send. ")
    assert "acks_late=True" in message
    assert "shop.other" not in message, "it is none of this group's"


@pytest.mark.parametrize("answer", [None, frozenset[str](), frozenset({"shop.other"})])
def test_nothing_is_said_of_other_tasks(answer: frozenset[str] | None) -> None:
    assert message_of(running(view=view(2, early_ack_tasks=answer))) == "Workers run."


def test_many_names_are_cut() -> None:
    tasks = [{"task": f"t{number}"} for number in range(10)]
    early = frozenset(f"t{number}" for number in range(10))
    seen = running(spec(tasks=tasks), ledger(dispatched=10), view=view(1, early_ack_tasks=early))

    assert "t0, t1, t2 and 7 more." in message_of(seen)
