"""When hooks of items wait, and what becomes of them when the group, its data or its workers go another way."""

from dataclasses import replace

from support.builders import (
    BAD,
    NOW,
    after,
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
)
from support.hook_looks import FAILURE, HOOKS, IGNORED, NOTE, SUCCESS, WANTED, ended, sent
from support.stories import check, retry, take
from support.world import UID, World
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import HooksStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.observed import Window
from taskgroup.core.groups.plan import Redispatch, Release, Renew, Withdraw
from taskgroup.core.groups.recovery import after_data_loss
from taskgroup.core.hooks import HOOK_UNITS, hook_unit, hook_units
from taskgroup.core.indexes import full
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.units import ITEM_UNITS, Units


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


def test_an_unknown_task_of_a_hook_holds_the_hooks_alone_back() -> None:
    seen = sent(ended(0), hook_units(SUCCESS, full(1)))
    unknown = Completions(failed={hook_unit(SUCCESS, 0): Failure("NotRegistered", "'shop.note'")})
    plan = look(replace(seen, completions=unknown))

    assert only(plan, Renew)[0].units == hook_units(SUCCESS, full(1))
    assert plan.ledger.unknown_tasks == ("shop.note",)
    assert plan.status.on_item_success == HooksStatus(pending=1)


def test_so_it_does_when_the_group_ends_before_the_hook() -> None:
    wanted = spec(10, template=IGNORED, onItemSuccess=NOTE, activeDeadlineSeconds=60)
    books = ledger(10, dispatched=10, succeeded=full(9), running_since=NOW)
    waiting = sent(ended(9, books=books, wanted=wanted), hook_units(SUCCESS, full(10)))

    assert look(waiting, NOW + 60).forget == full(10)


def test_a_deleted_ledger_runs_none_of_them_again() -> None:
    world = World(spec(3, **HOOKS, workers={"concurrency": 1, "maxReplicas": 1}))
    for _ in range(9):
        _live_once(world, None)
    assert world.status.on_item_success
    assert world.status.on_item_success.succeeded
    world.store.put_ledger(None)
    world.kill()
    _live(world, None)

    check(world)
    assert world.status.on_item_success == HooksStatus(succeeded=3)
    assert set(world.broker.sent.values()) == {1}


def test_hooks_wait_while_what_comes_first_runs_again() -> None:
    """Else they would get the placeholder for its result."""
    before = {"task": "shop.list"}
    wanted = spec(10, before=before, onItemSuccess={**NOTE, "args": ["$(before.result)"]})
    seen = ended(0, wanted=wanted)

    assert only(look(seen), Redispatch)[0].units == Units([stage_unit(Stage.BEFORE)])


def test_hooks_fail_alone_when_the_result_that_they_want_is_gone() -> None:
    wanted = spec(10, before={"task": "shop.list"}, onItemSuccess={**NOTE, "args": ["$(before.result)"]})
    books = replace(ledger(10, dispatched=10, succeeded=full(9)), passed=Units([stage_unit(Stage.BEFORE)]))
    plan = look(ended(9, books=books, wanted=wanted, before_flaw=BAD))

    assert plan.status.state == "Complete"
    assert plan.status.on_item_success == HooksStatus(failed=10)


def test_a_countdown_holds_a_hook_and_a_callback() -> None:
    later = {**NOTE, "options": {"countdownSeconds": 30}}
    books = ledger(10, dispatched=10, succeeded=full(9))
    for fields in ({"onItemSuccess": later}, {"callback": later}):
        seen = ended(9, books=books, wanted=spec(10, **fields))
        plan = look(seen)
        assert only(plan, Release)
        assert not only(plan, Redispatch)
        again = after(
            seen, plan, ledger=plan.ledger.released_with(only(plan, Release)[0].units), completions=Completions()
        )
        assert not only(look(again, NOW + 29), Redispatch)
        assert only(look(again, NOW + 31), Redispatch)


def test_a_hook_that_was_not_sent_waits_while_its_item_runs_again() -> None:
    hook = hook_units(FAILURE, indexes(0))
    books = ledger(10, dispatched=10).released_with(hook)
    seen = running(WANTED, books, view=view(1), queue=queue(held=1))

    assert look(seen).status.on_item_failure == HooksStatus()
    assert not only(look(seen), Redispatch)
    failed = replace(seen, completions=completions((), [0]))
    assert only(look(failed), Redispatch)[0].units == hook


def test_few_events_tell_of_many_failed_hooks() -> None:
    told, books = list[str](), ledger(200, dispatched=200, succeeded=full(200))
    seen = running(spec(200, **HOOKS), books.released_with(hook_units(SUCCESS, full(200))), view=view(1), queue=queue())
    for index in range(150):
        plan = look(replace(seen, completions=Completions(failed={hook_unit(SUCCESS, index): BAD})))
        told += [event.message for event in plan.extra_events if event.reason is EventReason.HOOK_FAILED]
        seen = after(seen, plan)

    assert len(told) == 3
    assert told[2] == "spec.onItemSuccess of item 99 and of 99 others failed: ValueError: bad"


def test_the_window_grows_for_hooks_alone() -> None:
    hooks = hook_units(SUCCESS, full(500))
    books = ledger(500, dispatched=500, succeeded=full(500)).released_with(hooks)
    seen = running(spec(500, **HOOKS), books, view=view(1), queue=queue(held=1))
    ends = Completions(hook_units(SUCCESS, full(20)))
    plan = look(replace(seen, completions=ends, carried=replace(seen.carried, window=Window(size=20))))

    assert sum(len(action.units) for action in only(plan, Redispatch)) > 20


def test_no_worker_is_wanted_for_items_that_are_not_sent_any_more() -> None:
    wanted = spec(1_000, **HOOKS, maxFailedItems=0)
    seen = ended(bad=[0], wanted=wanted, books=ledger(1_000, dispatched=3), queue=queue(held=2))
    plan = look(seen)

    assert plan.demand
    assert plan.demand.items == 1 + 2, "a hook, and what still runs"


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
    for _ in range(20):
        _live_once(world, failure)


def _live_once(world: World, failure: str | None) -> None:
    """An item ends so, or a hook succeeds."""
    world.now += 1.5
    world.look()
    world.workers.settle(world.tick())
    take(world, 0)
    is_item = any(message.item and message.item.unit in ITEM_UNITS for message in world.in_hands())
    world.end(0, failure if is_item else None)
