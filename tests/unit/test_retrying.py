"""Which failures get another attempt, and when."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NAME,
    NOW,
    UID,
    after,
    completions,
    finished,
    indexes,
    ledger,
    look,
    only,
    running,
    said,
    spec,
    view,
    work,
)
from support.builders import queue as waiting
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.policies import Backoff, RetryPolicy
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.observed import BrokerBooks, Observed
from taskgroup.core.groups.plan import Redispatch, Retry
from taskgroup.core.groups.recovery import adopt, after_data_loss
from taskgroup.core.groups.retrying import MAX_IGNORED, SOON_SECONDS, RetryRules, wait_seconds
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger
from taskgroup.core.merging import newest
from taskgroup.core.retries import Retries
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.units import Units, unit_of
from taskgroup.groups.compiling import compile_spec
from taskgroup.groups.compiling import finished as compiled

SOLD_OUT = Failure("SoldOut", "no seat is left", kind="shop.errors.SoldOut")
OURS = Failure("Lost", "4 workers died while they ran it.")
ALL_SENT = ledger(10, dispatched=10)
CALLBACK = stage_unit(Stage.CALLBACK)


def policy(limit: int = 2, *rules: dict[str, Any], **backoff: Any) -> dict[str, Any]:
    """As in a manifest, without jitter."""
    return {"limit": limit, "backoff": {"jitter": 0, **backoff}, "rules": list(rules)}


def rules(limit: int = 2, *given: dict[str, Any], **backoff: Any) -> RetryRules:
    return RetryRules(RetryPolicy.model_validate(policy(limit, *given, **backoff)), UID)


def wanted(limit: int = 2, *given: dict[str, Any], **fields: Any) -> TaskGroupSpec:
    return spec(10, retryPolicy=policy(limit, *given), **fields)


def failing(books: Ledger = ALL_SENT, **fields: Any) -> Observed:
    """Item 3 of a group fails."""
    ends = completions((), [3], failure=SOLD_OUT)
    return running(wanted(**fields), books, completions=ends, queue=waiting(0, 9), view=view(2))


@pytest.mark.parametrize(
    ("rule", "failure", "is_retried"),
    [
        (None, SOLD_OUT, True),
        (None, OURS, False),
        ({"onException": ["SoldOut"], "action": "FailItem"}, SOLD_OUT, False),
        ({"onException": ["shop.errors.SoldOut"], "action": "FailItem"}, SOLD_OUT, False),
        ({"onException": ["errors.SoldOut", "Sold"], "action": "FailItem"}, SOLD_OUT, True),
        ({"onMessage": "seat", "action": "FailItem"}, SOLD_OUT, False),
        ({"onMessage": "^seat", "action": "FailItem"}, SOLD_OUT, True),
        ({"onException": ["SoldOut"], "onMessage": "^seat", "action": "FailItem"}, SOLD_OUT, True),
        ({"action": "FailItem"}, SOLD_OUT, False),
        ({"action": "FailGroup"}, SOLD_OUT, False),
        ({"action": "Ignore"}, SOLD_OUT, True),
        ({"action": "Ignore"}, OURS, False),
    ],
)
def test_the_first_rule_that_fits_decides(rule: dict[str, Any] | None, failure: Failure, is_retried: bool) -> None:
    given = rules(2, *([rule] if rule else []), {"action": "Retry"})

    books, final = given.apply(ALL_SENT, {3: failure}, NOW)

    assert bool(books.retrying) is is_retried
    assert (3 in final) is not is_retried


def test_without_a_policy_nothing_is_retried() -> None:
    assert RetryRules().apply(ALL_SENT, {3: SOLD_OUT}, NOW) == (ALL_SENT, {3: SOLD_OUT})


def test_retries_are_counted_up_to_the_limit() -> None:
    books = ALL_SENT
    for count in (1, 2):
        books, final = rules().apply(books, {3: SOLD_OUT}, NOW)
        assert (final, books.retries.counted) == ({}, {3: count})
        books = books.renewed({3: count}).redispatched(indexes(3))

    assert rules().apply(books, {3: SOLD_OUT}, NOW) == (books, {3: SOLD_OUT})


def test_what_is_ignored_is_counted_apart_and_has_a_limit_of_its_own() -> None:
    ignoring = rules(0, {"action": "Ignore"})
    books, final = ignoring.apply(ALL_SENT, {3: SOLD_OUT}, NOW)
    assert (final, books.retries.counted, books.retries.ignored) == ({}, {}, {3: 1})

    worn = replace(ALL_SENT, retries=Retries(ignored={3: MAX_IGNORED}))
    assert ignoring.apply(worn, {3: SOLD_OUT}, NOW) == (worn, {3: SOLD_OUT})


def test_a_failure_that_is_told_twice_counts_once() -> None:
    books, _ = rules().apply(ALL_SENT, {3: SOLD_OUT}, NOW)

    assert rules().apply(books, {3: SOLD_OUT}, NOW + 5) == (books, {})


@pytest.mark.parametrize(("before", "seconds"), [(0, 10), (1, 20), (2, 40), (5, 320), (6, 360), (10**6, 360)])
def test_waits_grow_up_to_the_longest(before: int, seconds: float) -> None:
    assert wait_seconds(Backoff(jitter=0), before, "a") == seconds


def test_jitter_shortens_each_wait_by_its_own_part_and_always_the_same() -> None:
    waits = {name: wait_seconds(Backoff(jitter=0.5), 0, name) for name in map(str, range(100))}

    assert all(5 <= wait <= 10 for wait in waits.values())
    assert max(waits.values()) - min(waits.values()) > 4
    assert waits == {name: wait_seconds(Backoff(jitter=0.5), 0, name) for name in waits}


def test_an_item_that_failed_waits_and_is_shown_as_retrying() -> None:
    plan = look(failing())
    status = plan.status

    assert plan.ledger.retries.due == {3: NOW + 10}
    assert (status.pending, status.active, status.retrying, status.failed) == (0, 9, 1, 0)
    assert only(plan, Retry) == []
    assert plan.wake_after == 10
    assert plan.counted.failed == {3: SOLD_OUT}


def test_it_gets_its_next_attempt_when_its_time_has_come() -> None:
    first = failing()
    waits = after(first, look(first))

    assert only(look(waits, NOW + 9.9), Retry) == []
    assert only(look(waits, NOW + 10), Retry) == [Retry(indexes(3))]
    assert look(waits, NOW + 10).save, "it is written down that it counts"
    renewed = look(waits, NOW + 10).ledger.renewed({3: 1})
    assert renewed.retrying == NONE
    again = look(replace(waits, ledger=renewed), NOW + 10)
    assert only(again, Redispatch) == [Redispatch(indexes(3))]


def test_a_suspended_group_retries_when_it_is_resumed() -> None:
    first = failing()
    books = look(first).ledger
    suspended = running(wanted(suspend=True), books, queue=waiting(0, 9), view=view(0))

    assert look(suspended, NOW + 50).actions == ()
    assert look(suspended, NOW + 50).status.retrying == 1


def test_no_worker_is_kept_for_what_is_due_much_later() -> None:
    retries = Retries(due=dict.fromkeys(range(10), int(NOW + 300)))
    seen = running(wanted(), replace(ALL_SENT, retries=retries), view=view(1))
    plan = look(seen)

    assert plan.demand
    assert plan.demand.items == 0
    assert not plan.demand.ended
    assert look(seen, NOW + 200).wake_after <= 300 - 200 - SOON_SECONDS
    soon = look(seen, NOW + 300 - SOON_SECONDS)
    assert soon.demand
    assert soon.demand.items == 10


def test_the_last_failure_fails_the_item() -> None:
    worn = replace(ALL_SENT, succeeded=full(10) - indexes(3), retries=Retries(counted={3: 2}))
    end = look(failing(worn)).status

    assert (end.state, end.failed, end.retrying) == ("Failed", 1, 0)
    assert end.failures
    assert end.failures[0].reason == "SoldOut"


def test_a_rule_may_fail_the_group() -> None:
    rule = {"onException": ["SoldOut"], "action": "FailGroup"}
    seen = replace(failing(), spec=wanted(2, rule))
    plan, end = look(seen), finished(seen).status

    assert said(end, ConditionType.FAILED) == ("True", Reason.RETRY_POLICY)
    assert (end.failed, end.cancelled) == (1, 9)
    died = replace(seen, ledger=decode(encode(plan.ledger)), completions=Completions(), spec=wanted())
    assert said(look(died).status, ConditionType.FAILURE_TARGET) == ("True", Reason.RETRY_POLICY)


def test_only_the_step_that_failed_is_run_again() -> None:
    chain = {"chain": [{"task": "a"}, {"task": "b"}]}
    second = Units([unit_of(3, 1)])
    books = ledger(10, dispatched=10, steps=2).passed_with(indexes(3)).released_with(second).redispatched(second)
    seen = running(spec(10, template=chain, retryPolicy=policy()), books, view=view(2))
    plan = look(replace(seen, completions=Completions(failed={second.min(): SOLD_OUT})))

    assert plan.ledger.retrying == second
    assert plan.ledger.passed == indexes(3)
    assert plan.status.retrying == 1


def test_a_callback_is_retried_too() -> None:
    books = (
        ledger(10, dispatched=10, succeeded=full(10)).released_with(Units([CALLBACK])).redispatched(Units([CALLBACK]))
    )
    seen = running(wanted(callback={"task": "shop.gather"}), books, view=view(1))
    plan = look(replace(seen, completions=Completions(failed={CALLBACK: SOLD_OUT})))

    assert plan.ledger.retrying == Units([CALLBACK])
    assert plan.status.completion_time is None
    assert plan.status.retrying == 0
    assert only(look(after(seen, plan), NOW + 10), Retry) == [Retry(Units([CALLBACK]))]


WAITING = replace(ALL_SENT, retries=Retries(due={3: int(NOW + 10)}, counted={3: 1}, fatal=7), attempts={3: 1})


def test_a_snapshot_holds_the_retries() -> None:
    assert decode(encode(WAITING)) == WAITING
    assert decode(encode(ALL_SENT)).retries == Retries()


def test_what_comes_back_meanwhile_does_not_end_the_wait() -> None:
    assert WAITING.withdrawn(indexes(3)).returned == NONE
    assert WAITING.in_flight(work(spec(10)).lanes) == full(10) - indexes(3)


@pytest.mark.parametrize(("attempt", "waits"), [(1, True), (2, False)])
def test_an_attempt_that_the_ledger_was_not_told_of_ends_the_wait(attempt: int, waits: bool) -> None:
    seen = running(wanted(), WAITING)
    books = BrokerBooks(returned=indexes(3), attempts={3: attempt})
    adopted = adopt(WAITING, seen.state, books, NOW)

    assert bool(adopted.retrying) is waits
    assert bool(adopted.returned) is not waits


def test_lost_data_end_all_waits() -> None:
    books = after_data_loss(WAITING, full(10), "other")

    assert books.retrying == NONE
    assert books.returned == full(10)
    assert books.retries.counted == {3: 1}


def test_of_two_ledgers_the_newer_attempt_is_believed() -> None:
    later = WAITING.renewed({3: 2}).redispatched(indexes(3))

    assert newest(later, WAITING).retrying == NONE
    assert newest(WAITING, later).retrying == NONE
    assert newest(ALL_SENT, WAITING).retries == WAITING.retries
    assert newest(WAITING, ALL_SENT).retries == WAITING.retries


def test_a_pattern_that_is_none_is_told_with_its_place() -> None:
    given = wanted(2, {"onMessage": "a", "action": "Retry"}, {"onMessage": "(", "action": "Retry"}).dump()
    found = compiled(compile_spec(1, given, NAME, 10**6)).invalid

    assert found
    assert found.reason == Reason.INVALID_SPEC
    assert found.message.startswith("spec.retryPolicy.rules[1].onMessage: missing ")
