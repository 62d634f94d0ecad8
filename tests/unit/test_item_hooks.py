"""What runs once for an item that has ended: let go once, awaited by the group, and without a say in its outcome."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    BAD,
    NOW,
    after,
    chain_spec,
    chunk_spec,
    completions,
    indexes,
    ledger,
    look,
    only,
    queue,
    running,
    said,
    spec,
    view,
    work,
)
from support.memory.results import MemoryResults
from support.stories import check, retry, take
from support.world import UID, World
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import HooksStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.failure_groups import MAX_FAILURE_GROUPS
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Redispatch, Release, Renew, Retry, Withdraw
from taskgroup.core.groups.recovery import after_data_loss
from taskgroup.core.hooks import HOOK_UNITS, Hook, all_hooks, hook_unit, hook_units
from taskgroup.core.indexes import full
from taskgroup.core.items.compilation import compile_work
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.task_id import TaskId, task_id
from taskgroup.core.units import ITEM_UNITS, LIMIT, Units, unit_of
from taskgroup.core.units import after as following
from taskgroup.core.units import before as preceding
from taskgroup.groups.hook_input import failure_arguments

SUCCESS, FAILURE = Hook.ON_ITEM_SUCCESS, Hook.ON_ITEM_FAILURE
NOTE: dict[str, Any] = {"task": "shop.note"}
IGNORED = {"task": "shop.send", "options": {"ignoreResult": True}}
HOOKS = {"onItemSuccess": NOTE, "onItemFailure": NOTE}
WANTED = spec(10, **HOOKS)


def ended(*good: int, bad: Any = (), books: Ledger | None = None, wanted: Any = WANTED, **fields: Any) -> Observed:
    """A look at which these items have just ended."""
    fields = {"view": view(1), "queue": queue(held=1), **fields}
    return running(wanted, books or ledger(10, dispatched=10), completions=completions(good, bad), **fields)


def sent(seen: Observed, units: Units, **fields: Any) -> Observed:
    """The look after these hooks were sent."""
    plan = look(seen)
    books = plan.ledger.released_with(units).redispatched(units)
    return after(seen, plan, ledger=books, completions=Completions(), **fields)


def released(seen: Observed, now: float = NOW) -> Units:
    return Units.union(Units(), *(action.units for action in only(look(seen, now), Release)))


def test_numbers_of_hooks_are_those_of_nothing_else() -> None:
    assert not HOOK_UNITS & (ITEM_UNITS | STAGE_UNITS)
    assert HOOK_UNITS.max() < LIMIT
    for hook in Hook:
        own = hook_units(hook, full(1_000))
        assert not (following(own) | preceding(own)) & (HOOK_UNITS | STAGE_UNITS)


@pytest.mark.parametrize("hook", Hook)
def test_an_id_names_item_and_hook(hook: Hook) -> None:
    unit = hook_unit(hook, 7)

    assert task_id(UID, unit) == f"{UID}.7.{hook}"
    assert TaskId.parse(f"{UID}.7.{hook}~2") == TaskId(UID, unit, 2)
    assert TaskId.parse(f"{UID}.{hook}") is None
    assert TaskId.parse(f"{UID}.callback.{hook}") is None


def test_each_is_let_go_once_when_its_item_has_ended() -> None:
    seen, hooks = ended(0, 1, bad=[2]), hook_units(SUCCESS, full(2)) | hook_units(FAILURE, indexes(2))

    assert released(seen) == hooks
    assert only(look(seen), Redispatch)[0].units <= hooks
    assert not released(sent(seen, hooks))


def test_only_what_the_spec_has_is_let_go() -> None:
    assert released(ended(0, bad=[2], wanted=spec(10, onItemFailure=NOTE))) == hook_units(FAILURE, indexes(2))
    assert not released(ended(0, bad=[2], wanted=spec(10)))


def test_a_chunk_has_one() -> None:
    seen = ended(0, wanted=chunk_spec(5, count=10, onItemSuccess=NOTE))

    assert released(seen) == hook_units(SUCCESS, indexes(0))
    assert look(seen).status.on_item_success == HooksStatus(pending=1)


def test_the_group_ends_when_they_have() -> None:
    books = ledger(10, dispatched=10, succeeded=full(9))
    seen, hooks = ended(9, books=books), hook_units(SUCCESS, full(10))
    plan = look(seen)

    assert plan.status.state == "Running"
    assert plan.status.percent == 100
    assert plan.demand
    assert (plan.demand.items, plan.demand.reason) == (10, "10 hooks of items are left.")
    waiting = sent(seen, hooks)
    done = look(replace(waiting, completions=Completions(hooks)))
    assert said(done.status, ConditionType.COMPLETE) == ("True", Reason.COMPLETIONS_REACHED)
    assert done.status.on_item_success == HooksStatus(succeeded=10)
    assert done.status.on_item_failure == HooksStatus()
    assert done.forget == hooks


def test_their_failure_is_counted_told_and_changes_nothing() -> None:
    books = ledger(10, dispatched=10, succeeded=full(9))
    seen, hooks = ended(9, books=books), hook_units(SUCCESS, full(10))
    failed = Completions(
        hooks - hook_units(SUCCESS, indexes(3, 4)), {hook_unit(SUCCESS, index): BAD for index in (3, 4)}
    )
    plan = look(replace(sent(seen, hooks), completions=failed))

    assert plan.status.state == "Complete"
    assert plan.status.on_item_success == HooksStatus(succeeded=8, failed=2)
    told = [event.message for event in plan.extra_events if event.reason is EventReason.HOOK_FAILED]
    assert told == ["spec.onItemSuccess of item 3 and of 1 others failed: ValueError: bad"]


def test_the_retry_policy_is_not_for_them() -> None:
    wanted = spec(10, **HOOKS, retryPolicy={"limit": 3})
    raised = Failure("ValueError", "bad", kind="ValueError")
    seen = sent(ended(0, wanted=wanted), hook_units(SUCCESS, full(1)))
    plan = look(replace(seen, completions=Completions(failed={hook_unit(SUCCESS, 0): raised})))

    assert not only(plan, Retry)
    assert plan.status.on_item_success == HooksStatus(failed=1)


def test_once_the_outcome_is_known_nothing_but_hooks_is_sent() -> None:
    wanted = spec(10, **HOOKS, maxFailedItems=0)
    seen = ended(bad=[0], wanted=wanted, books=ledger(10, dispatched=3), queue=queue(queued=2))
    plan = look(seen)

    assert plan.status.state == "Running"
    assert plan.actions == (Withdraw(running=False),)
    following_look = after(
        seen, plan, ledger=plan.ledger.withdrawn(indexes(1, 2)), queue=queue(), completions=Completions()
    )
    again = look(following_look)
    hook = hook_units(FAILURE, indexes(0))
    assert [type(action) for action in again.actions] == [Release, Redispatch]
    assert [action.units for action in only(again, Redispatch)] == [hook]
    done = look(
        after(
            following_look,
            again,
            ledger=again.ledger.released_with(hook).redispatched(hook),
            completions=Completions(hook),
        )
    )
    assert said(done.status, ConditionType.FAILURE_TARGET) == ("True", Reason.MAX_FAILED_ITEMS_EXCEEDED)
    assert done.status.cancelled == 9


def test_a_deadline_ends_the_group_before_them() -> None:
    wanted = spec(10, **HOOKS, activeDeadlineSeconds=60)
    books = ledger(10, dispatched=10, succeeded=full(9), running_since=NOW)
    waiting = sent(ended(9, books=books, wanted=wanted), hook_units(SUCCESS, full(10)))

    assert look(waiting, NOW + 59).status.state == "Running"
    plan = look(waiting, NOW + 60)
    assert plan.status.state == "Complete", "the items' outcome was known"
    assert plan.status.on_item_success == HooksStatus(cancelled=10)


def test_what_is_left_of_them_then_is_stopped() -> None:
    """The items' outcome is no early end, and what it leaves on the queue would be run."""
    wanted = spec(10, **HOOKS, activeDeadlineSeconds=60)
    books = ledger(10, dispatched=10, succeeded=full(9), running_since=NOW)
    waiting = sent(ended(9, books=books, wanted=wanted), hook_units(SUCCESS, full(10)))
    plan = look(waiting, NOW + 60)
    over = after(waiting, plan, queue=queue(queued=10))

    assert look(over, NOW + 61).actions == (Withdraw(running=True),)
    assert plan.demand
    assert not plan.demand.leftovers


def test_lost_data_let_them_go_anew_as_counted_attempts() -> None:
    hooks = hook_units(SUCCESS, full(3))
    books = replace(
        ledger(10, dispatched=10, succeeded=full(3)), passed=hook_units(SUCCESS, indexes(0)), released=hooks
    )
    books = replace(books, failed_hooks=hook_units(SUCCESS, indexes(1)))
    anew = after_data_loss(books, full(10), "other")

    assert anew.attempts[hook_unit(SUCCESS, 2)] == 1
    assert hook_unit(SUCCESS, 0) not in anew.attempts
    assert hook_unit(SUCCESS, 1) not in anew.attempts
    assert anew.passed == hook_units(SUCCESS, indexes(0))
    assert not anew.released & HOOK_UNITS


def test_the_stored_ledger_knows_them() -> None:
    books = replace(
        ledger(10, dispatched=10, succeeded=full(3)),
        passed=hook_units(SUCCESS, full(2)),
        failed_hooks=hook_units(FAILURE, full(1)),
    )

    assert decode(encode(books)) == books


def test_a_stored_failure_of_no_hook_is_refused() -> None:
    with pytest.raises(ValueError, match="a failure of no hook"):
        decode(encode(replace(ledger(10), failed_hooks=indexes(3))))


def test_the_broker_s_word_that_one_was_let_go_ends_no_step() -> None:
    books = ledger(10, dispatched=10).released_with(all_hooks(full(3)))

    assert not books.due
    assert books.count_items(all_hooks(full(3))) == 0


def test_a_placeholder_without_a_meaning_is_told() -> None:
    with pytest.raises(InvalidSpecError, match="Item 0 has no 'name'"):
        compile_work(spec(3, onItemSuccess={**NOTE, "args": ["$(item.name)"]}), "group")
    with pytest.raises(InvalidSpecError, match="Unknown placeholder"):
        compile_work(spec(3, onItemFailure={**NOTE, "args": ["$(no)"]}), "group")


def test_an_unknown_task_of_a_hook_holds_the_hooks_alone_back() -> None:
    seen = sent(ended(0), hook_units(SUCCESS, full(1)))
    unknown = Completions(failed={hook_unit(SUCCESS, 0): Failure("NotRegistered", "'shop.note'")})
    plan = look(replace(seen, completions=unknown))

    assert only(plan, Renew)[0].units == hook_units(SUCCESS, full(1))
    assert plan.ledger.unknown_tasks == ("shop.note",)
    assert plan.status.on_item_success == HooksStatus(pending=1)


def told(books: Ledger, results: MemoryResults, index: int, wanted: Any = WANTED) -> list[Any]:
    unit = hook_unit(FAILURE, index)
    return asyncio.run(failure_arguments([unit], results, UID, work(wanted), books))[unit]


def test_a_failed_item_s_hook_is_told_which_task_failed_and_why() -> None:
    books = ledger(10, dispatched=10).failed_with(BAD, indexes(4), NOW)

    assert told(books, MemoryResults(), 4) == [f"{UID}.4", 4, {"reason": "ValueError", "message": "bad"}]
    later = replace(books, attempts={4: 2})
    assert told(later, MemoryResults(), 4)[0] == f"{UID}.4~2"


def test_of_a_chain_it_is_the_step_that_failed() -> None:
    books = replace(ledger(10, dispatched=10), steps=3, passed=Units([unit_of(4, 0)]))

    assert told(books.failed_with(BAD, indexes(4), NOW), MemoryResults(), 4, chain_spec(3))[0] == f"{UID}.4.1"


def test_a_failure_that_the_books_put_together_with_others_is_read_again() -> None:
    books, last = ledger(200, dispatched=200), MAX_FAILURE_GROUPS + 1
    for index in range(last + 1):
        books = books.failed_with(Failure("ValueError", f"bad {index}"), indexes(index), NOW)
    results = MemoryResults()
    results.store(f"{UID}.{last}", Failure("ValueError", f"bad {last}"))

    assert told(books, results, last, spec(200, **HOOKS))[2] == {"reason": "ValueError", "message": f"bad {last}"}
    assert "put together" in told(books, MemoryResults(), last, spec(200, **HOOKS))[2]["message"]


def test_the_value_of_a_task_that_ignores_its_result_goes_with_its_hook() -> None:
    wanted = spec(10, template=IGNORED, onItemSuccess=NOTE)
    seen, hook = ended(0, wanted=wanted), hook_units(SUCCESS, full(1))

    assert not look(seen).forget
    plan = look(replace(sent(seen, hook), completions=Completions(hook)))
    assert plan.forget == hook | full(1)
    immutable = spec(10, template=IGNORED, onItemSuccess={**NOTE, "options": {"immutable": True}})
    assert look(ended(0, wanted=immutable)).forget == full(1)


def test_an_item_that_runs_again_has_its_hooks_once() -> None:
    world = World(spec(1, **HOOKS, workers={"concurrency": 1, "maxReplicas": 1}))
    _live(world, "KeyError")
    assert (world.status.failed, world.status.on_item_failure) == (1, HooksStatus(succeeded=1))

    retry(world, 1)
    _live(world, None)

    check(world)
    assert (world.status.succeeded, world.status.on_item_success) == (1, HooksStatus(succeeded=1))
    assert world.status.on_item_failure == HooksStatus(succeeded=1)
    assert world.broker.sent[f"{UID}.0.onItemFailure"] == 1


def _live(world: World, failure: str | None) -> None:
    """Items end so, and hooks succeed."""
    for _ in range(20):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        take(world, 0)
        is_item = any(message.item and message.item.unit in ITEM_UNITS for message in world.in_hands())
        world.end(0, failure if is_item else None)
