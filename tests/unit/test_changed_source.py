"""A source of items that was read twice, and was another list the second time."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, finished, indexes, ledger, observed, queue, said, spec, view
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.items.compilation import compile_steps
from taskgroup.core.items.external import external_items
from taskgroup.core.items.handover import Pieces
from taskgroup.core.items.work import MAX_MESSAGE_BYTES, Work
from taskgroup.core.ledger import Ledger

SOURCE: dict[str, Any] = {"itemsFrom": {"url": "https://files.example/a.jsonl"}}
TEN = [f"item-{number}" for number in range(10)]
HALF = ledger(10, dispatched=5, succeeded=indexes(0))
OTHERS = [["other", *TEN[1:]], TEN[:9], [*TEN, "more"], TEN[::-1]]


def last(steps: Generator[None, None, Any]) -> Any:
    """What they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def read(wanted: TaskGroupSpec, items: list[str]) -> Work:
    """The work with these items."""
    pieces = Pieces()
    for item in items:
        pieces.add(item)
    rest = pieces.rest()
    external = last(external_items(pieces.head(""), [rest] if rest else []))
    work: Work = last(compile_steps(wanted, "mails", MAX_MESSAGE_BYTES, external=external))
    return work


def started(books: Ledger, **fields: Any) -> Observed:
    """A group that runs the ten items."""
    wanted = spec(**SOURCE, **fields)
    new = observed(spec(**SOURCE), work=read(wanted, TEN))
    status = reconcile(new, NOW).status
    return observed(wanted, work=new.work, status=status, ledger=books, queue=queue(4), view=view())


def again_as(seen: Observed, items: list[str]) -> Observed:
    assert seen.spec is not None
    return replace(seen, work=read(seen.spec, items))


def test_the_same_list_goes_on() -> None:
    plan = reconcile(again_as(started(HALF), TEN), NOW)

    assert said(plan.status, ConditionType.CONFIGURATION_VALID)[0] == "True"
    assert said(plan.status, ConditionType.FAILURE_TARGET)[0] == "False"


@pytest.mark.parametrize("items", OTHERS)
def test_another_list_fails_the_group_and_stops_what_runs(items: list[str]) -> None:
    seen = started(HALF)
    assert seen.status.items is not None

    plan = reconcile(again_as(seen, items), NOW)

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.SOURCE_CHANGED)
    assert plan.actions == (Withdraw(running=True),)
    assert (plan.status.succeeded, plan.status.cancelled, plan.status.total) == (1, 9, 10)
    assert plan.status.items == seen.status.items, "those that it ran with"
    (target,) = [one for one in plan.status.conditions or () if one.type == ConditionType.FAILURE_TARGET]
    assert f"started with 10 items of digest {seen.status.items.sha256[:12]}," in target.message
    assert f"has {len(items)} of digest " in target.message


def test_a_suspended_group_fails_as_well() -> None:
    plan = reconcile(again_as(started(HALF, suspend=True), TEN[1:]), NOW)

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.SOURCE_CHANGED)


def test_items_of_another_list_are_not_run_again() -> None:
    failed = ledger(10, dispatched=10, succeeded=indexes(range(9)), failed=indexes(9))
    seen = started(failed, retry={"id": "again", "indexes": "failed"})
    ended = finished(replace(seen, spec=spec(**SOURCE)))
    ended = replace(ended, spec=seen.spec)

    accepted = reconcile(ended, NOW)
    refused = reconcile(again_as(ended, OTHERS[0]), NOW)

    assert [event.reason for event in accepted.extra_events] == [EventReason.RETRYING]
    (event,) = refused.extra_events
    assert event.reason == EventReason.RETRY_REFUSED
    assert "is another list now" in event.message
    assert refused.status.items == ended.status.items
