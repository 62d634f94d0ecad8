"""What runs once for an item that has ended: let go once, awaited by the group, and without a say in its outcome."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    BAD,
    NOW,
    chain_spec,
    chunk_spec,
    indexes,
    ledger,
    look,
    only,
    said,
    spec,
    work,
)
from support.compiled import compile_work
from support.hook_looks import FAILURE, HOOKS, IGNORED, NOTE, SUCCESS, WANTED, ended, released, sent
from support.memory.results import MemoryResults
from support.world import UID
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import HooksStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.failure_groups import MAX_FAILURE_GROUPS
from taskgroup.core.groups.plan import Redispatch, Retry
from taskgroup.core.hooks import HOOK_UNITS, Hook, all_hooks, hook_unit, hook_units
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.task_id import TaskId, task_id
from taskgroup.core.units import ITEM_UNITS, LIMIT, Units, unit_of
from taskgroup.core.units import after as following
from taskgroup.core.units import before as preceding
from taskgroup.groups.hook_input import failure_arguments


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
    assert not done.forget, "by its result a new ledger knows that a hook has run"


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


def test_a_hook_that_no_worker_knows_is_told_in_words() -> None:
    """Celery's message is no more than the quoted name."""
    wanted = spec(10, **HOOKS, onUnknownTask="FailItem")
    seen, task = sent(ended(0, wanted=wanted), hook_units(SUCCESS, full(1))), HOOKS["onItemSuccess"]["task"]
    failed = Completions(failed={hook_unit(SUCCESS, 0): Failure("NotRegistered", repr(task))})
    plan = look(replace(seen, completions=failed))

    told = [event.message for event in plan.extra_events if event.reason is EventReason.HOOK_FAILED]
    assert told == [f"spec.onItemSuccess of item 0 failed: NotRegistered: No worker knows the task {task!r}."]


def test_the_retry_policy_is_not_for_them() -> None:
    wanted = spec(10, **HOOKS, retryPolicy={"limit": 3})
    raised = Failure("ValueError", "bad", kind="ValueError")
    seen = sent(ended(0, wanted=wanted), hook_units(SUCCESS, full(1)))
    plan = look(replace(seen, completions=Completions(failed={hook_unit(SUCCESS, 0): raised})))

    assert not only(plan, Retry)
    assert plan.status.on_item_success == HooksStatus(failed=1)


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
    assert plan.forget == full(1)
    immutable = spec(10, template=IGNORED, onItemSuccess={**NOTE, "options": {"immutable": True}})
    assert look(ended(0, wanted=immutable)).forget == full(1)
