"""Tasks that are not sent before their countdown is over: first ones from the start, later ones from their turn."""

from dataclasses import replace

from support.builders import NOW, after, completions, indexes, ledger, look, only, queue, running, said, spec
from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Dispatch, Plan, Redispatch, Release
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.units import Units, unit_of

LATE = {"countdownSeconds": 30}
STEPS = spec(3, template={"chain": [{"task": "a"}, {"task": "b", "options": LATE}]})
SECOND = Units([unit_of(0, 1)])


def test_items_wait_from_the_start_of_the_group() -> None:
    seen = running(spec(template={"task": "a", "options": LATE}))

    early = reconcile(seen, NOW + 29)
    assert (only(early, Dispatch), early.wake_after) == ([], 1)
    assert only(look(seen, NOW + 30), Dispatch)[0].indexes == indexes(range(10))


def test_other_tasks_do_not_wait_for_them() -> None:
    seen = running(spec(tasks=[{"task": "a"}, {"task": "b", "options": LATE}, {"task": "c"}]))
    plan = look(seen, NOW + 1)

    assert [one.units for one in only(plan, Redispatch)] == [indexes(0, 2)]
    books = plan.ledger.skipped(0, 3, indexes(0, 1, 2)).redispatched(indexes(0, 2))
    assert only(look(after(seen, plan, ledger=books), NOW + 30), Redispatch)[0].units == indexes(1)


def released(seen: Observed) -> tuple[Observed, Ledger]:
    """The first step of the first item has succeeded at NOW + 100, and the second was released."""
    plan = look(seen, NOW + 100, completions=completions({0}))
    assert [one.units for one in only(plan, Release)] == [SECOND]
    return after(seen, plan, ledger=plan.ledger.released_with(SECOND)), plan.ledger


def test_a_later_step_waits_from_its_turn() -> None:
    seen, books = released(running(STEPS, ledger(3, dispatched=3, steps=2)))
    assert dict(books.turns) == {unit_of(0, 1): int(NOW) + 100}

    early = look(seen, NOW + 129)
    assert only(early, Redispatch) == []
    assert early.wake_after == 1
    assert [one.units for one in only(look(seen, NOW + 130), Redispatch)] == [SECOND]


def test_the_turn_survives_a_restart_and_is_forgotten_with_the_item() -> None:
    seen, books = released(running(STEPS, ledger(3, dispatched=3, steps=2)))

    assert decode(encode(books)).turns == books.turns
    ended = replace(seen, ledger=seen.ledger.redispatched(SECOND), completions=completions(SECOND))
    assert dict(look(ended, NOW + 140).ledger.turns) == {}


FAR = {"countdownSeconds": 600}


def asked(plan: Plan) -> tuple[int, bool]:
    """How many items want workers, and whether those are wanted all the same for what is on the queue."""
    assert plan.demand
    return plan.demand.items, plan.demand.leftovers


def test_no_worker_is_kept_for_what_is_due_much_later() -> None:
    seen = running(spec(template={"task": "a", "options": FAR}))
    early = look(seen, NOW + 520)

    assert (asked(early), early.wake_after) == ((0, True), 20)
    assert said(early.status, ConditionType.WORKERS_READY) == ("True", Reason.NO_WORKERS_NEEDED)
    assert asked(look(seen, NOW + 540)) == (10, False)


def test_a_group_that_begins_with_a_long_wait_asks_for_no_worker() -> None:
    seen = running(spec(template={"task": "a", "options": FAR}), queue=queue(nonce=None))

    assert asked(look(seen, NOW + 1)) == (0, True)


def test_workers_are_kept_for_the_others() -> None:
    seen = running(spec(tasks=[{"task": "a"}, {"task": "b", "options": FAR}, {"task": "c"}]))

    assert asked(look(seen, NOW + 1)) == (2, False)


def test_no_worker_is_kept_for_a_later_step_or_a_callback() -> None:
    steps = spec(1, template={"chain": [{"task": "a"}, {"task": "b", "options": FAR}]})
    last = spec(1, callback={"task": "a", "options": FAR})
    books = ledger(1, dispatched=1, steps=2), ledger(1, dispatched=1)
    for wanted, sent in zip((steps, last), books, strict=True):
        seen = running(wanted, sent)
        plan = look(seen, NOW + 100, completions=completions({0}))
        assert asked(plan) == (0, True)
        later = after(seen, plan, ledger=plan.ledger)
        assert asked(look(later, NOW + 639)) == (0, True)
        assert asked(look(later, NOW + 640)) == (1, False)
