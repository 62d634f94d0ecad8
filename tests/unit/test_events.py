"""Events follow from two statuses, one at each transition."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, after, completions, finished, indexes, ledger, observed, running, spec, view
from taskgroup.api.names import EventReason, Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Plan
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.status.events import MAX_ITEM_EVENTS, events
from taskgroup.core.trouble import Trouble

SUSPENDED = spec(suspend=True)


def said(plan: Plan) -> list[tuple[str, str]]:
    return [(event.reason, event.message) for event in plan.events]


def reasons(plan: Plan) -> list[str]:
    return [event.reason for event in plan.events]


def look(seen: Observed, **fields: Any) -> Plan:
    return reconcile(replace(seen, **fields), NOW + 1)


def test_the_same_status_is_no_news() -> None:
    for status in (
        TaskGroupStatus(),
        running().status,
        finished(running(ledger=ledger(10, succeeded=full(10)))).status,
    ):
        assert events(status, status) == ()


def test_the_start_is_told_once() -> None:
    assert said(look(observed())) == [(EventReason.STARTED, "Started with 10 items.")]
    assert EventReason.STARTED not in reasons(look(running()))


def test_suspension_is_told_both_ways() -> None:
    stopped = look(running(), spec=SUSPENDED)
    assert said(stopped) == [(EventReason.SUSPENDED, "Suspended at 0/10 items.")]

    resumed = look(after(running(), stopped))
    assert said(resumed) == [(EventReason.RESUMED, "Resumed at 0/10 items.")]


def test_the_end_is_told_with_its_sentence() -> None:
    good = running(ledger=ledger(10, dispatched=10, succeeded=full(10)))
    bad = running(ledger=ledger(10, dispatched=10, succeeded=full(9), failed=indexes(9)))

    for seen, reason, message, warning in (
        (good, EventReason.COMPLETED, "All 10 items succeeded.", False),
        (bad, EventReason.FAILED, "1 of 10 items failed: ValueError (1).", True),
    ):
        ended = look(seen)
        last = ended.events[-1]
        assert (last.reason, last.message, last.warning) == (reason, message, warning)
        assert look(after(seen, ended)).events == ()


def test_progress_is_told_at_each_tenth() -> None:
    seen, told = running(spec(40), ledger(40, dispatched=40)), []
    for index in range(39):
        plan = look(seen, completions=completions([index]))
        told += said(plan)
        seen = after(seen, plan)

    assert [reason for reason, _ in told] == [EventReason.PROGRESS] * 9
    assert told[0] == (EventReason.PROGRESS, "4/40 items ended, 0 failed.")


def test_a_failed_item_is_told_with_its_exception() -> None:
    plan = look(running(spec(100), ledger(100, dispatched=10)), completions=completions((), [3]))

    assert [(event.reason, event.message, event.warning) for event in plan.events] == [
        (EventReason.ITEM_FAILED, "Item 3 failed: ValueError: bad", True)
    ]


def test_the_same_failure_of_another_item_is_no_news() -> None:
    seen = running(spec(100), ledger(100, dispatched=10))
    seen = after(seen, look(seen, completions=completions((), [3, 4])))

    assert look(seen, completions=completions((), [5])).events == ()


def test_failed_items_do_not_flood_the_events() -> None:
    seen, told = running(spec(1_000), ledger(1_000, dispatched=1_000)), 0
    for first in (0, 7, 30):
        failed = {index: Failure("ValueError", f"bad {index}") for index in range(first, first + 7)}
        plan = look(seen, completions=Completions(failed=failed))
        told += reasons(plan).count(EventReason.ITEM_FAILED)
        seen = after(seen, plan)

    assert told == MAX_ITEM_EVENTS


WRONG = Trouble(Reason.SECRET_NOT_FOUND, "Make the Secret.")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"invalid": WRONG}, EventReason.CONFIGURATION_INVALID),
        ({"backend_trouble": WRONG}, EventReason.BACKEND_UNREACHABLE),
        ({"view": view(0, trouble=WRONG)}, EventReason.WORKERS_NOT_READY),
    ],
)
def test_a_trouble_is_told_once_with_its_sentence(fields: dict[str, Any], reason: str) -> None:
    seen = running()
    plan = look(seen, **fields)
    assert said(plan) == [(reason, "Make the Secret.")]

    seen = after(seen, plan, **fields)
    assert look(seen).events == ()
    healed = after(seen, look(seen, invalid=None, backend_trouble=None, view=view(3)))
    assert reasons(look(healed, **fields)) == [reason], "it came back"


def test_another_trouble_of_the_same_part_is_new() -> None:
    seen = after(running(), look(running(), backend_trouble=WRONG))

    assert said(look(seen, backend_trouble=Trouble(Reason.ACCESS_DENIED, "Check the password."))) == [
        (EventReason.BACKEND_UNREACHABLE, "Check the password.")
    ]


def test_workers_that_only_start_are_no_trouble() -> None:
    for shown in (None, view(0), view(3, ready=0)):
        assert look(running(), view=shown).events == ()
