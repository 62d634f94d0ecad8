"""When a worker is asked how it acknowledges, and what the user reads of the answer."""

from typing import Any

import pytest

from support.builders import NOW, condition, indexes, ledger, look, only, pods, running, spec, workers
from taskgroup.api.names import ConditionType
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import AskWorker
from taskgroup.core.pools.early_acks import ASK_AFTER_SECONDS

LATER = NOW + ASK_AFTER_SECONDS
READY = workers(2, members=(*pods("new", ready=False), *pods("going", terminating=True), *pods("a", "b")))


def group(**fields: Any) -> Observed:
    """One item has ended."""
    return running(**{"books": ledger(sent=10, succeeded=indexes(0)), "workers": READY, **fields})


def message_of(seen: Observed) -> str:
    return condition(look(seen).status, ConditionType.WORKERS_READY).message


def test_one_ready_worker_is_asked_once_the_group_runs_for_a_while() -> None:
    assert only(look(group(), LATER), AskWorker) == [AskWorker("a")]
    assert only(look(group(), LATER - 0.1), AskWorker) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"books": ledger(sent=10)},
        {"workers": workers(1, members=pods("a", ready=False))},
        {"workers": workers(1, members=pods("a"), early=frozenset())},
        {"broker": None},
    ],
    ids=["nothing has ended", "no worker is ready", "one has answered", "no broker"],
)
def test_nobody_is_asked_else(fields: dict[str, Any]) -> None:
    assert only(look(group(**fields), LATER), AskWorker) == []


def test_the_condition_names_the_groups_tasks_that_are_acknowledged_early() -> None:
    early = frozenset({"shop.send", "shop.other"})
    message = condition(
        look(group(workers=workers(2, members=pods("a"), early=early))).status, ConditionType.WORKERS_READY
    ).message

    assert message.startswith("Workers run. Acknowledged before they run: shop.send. ")
    assert "acks_late=True" in message
    assert "shop.other" not in message, "it is none of this group's"


def test_many_names_are_cut() -> None:
    tasks = [{"task": f"t{number}"} for number in range(10)]
    early = frozenset(f"t{number}" for number in range(10))
    wanted, books = spec(tasks=tasks), ledger(sent=10)
    message = condition(
        look(running(wanted, books, workers=workers(1, early=early))).status, ConditionType.WORKERS_READY
    ).message

    assert "t0, t1, t2 and 7 more." in message
