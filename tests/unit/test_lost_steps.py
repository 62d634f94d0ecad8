"""A step that is lost with its workers is named like one that fails: in the books, the status and the event."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from support.builders import NOW, UID, chain_spec, indexes, ledger, look, queue, running, spec, state, view, work
from taskgroup.core.completions import Failure
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.observed import BrokerBooks
from taskgroup.core.groups.recovery import HOPELESS, MAX_MISSED, adopt, give_up, mark_missing, poison
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import Units, index_of, unit_of

TWO = {"chain": [{"task": "shop.first"}, {"task": "shop.second"}]}
WANTED = chain_spec(3, 4, before=TWO, callback=TWO)
ITEM = unit_of(1, 1)
POISON = poison(MAX_LOSSES)
Way = Callable[[Ledger, int], Ledger]


def books(unit: int) -> Ledger:
    """In which this unit is with a worker."""
    first = Units([unit_of(index_of(unit), 0)]) if unit == ITEM else Units([unit - unit_of(0, 1)])
    begun = ledger(4, dispatched=4, steps=3).released_with(Units([unit]) | (first - Units([1])))
    return replace(begun, returned=indexes()).passed_with(first)


def _adopted(known: Ledger, unit: int) -> Ledger:
    theirs = BrokerBooks(losses={unit: MAX_LOSSES + 1}, released=known.released)
    return adopt(known, state(cursors={0: 4}), theirs, NOW, MAX_LOSSES, work(WANTED))


def _given_up(known: Ledger, unit: int) -> Ledger:
    return give_up(known, running(WANTED, known, view=view(given_up=frozenset([TaskId(UID, unit)]))), NOW)


def _missing(known: Ledger, unit: int) -> Ledger:
    often = replace(known, missed=MappingProxyType({unit: MAX_MISSED}))
    return mark_missing(often, Units([unit]), work(WANTED), NOW)[0]


def failure_of(known: Ledger, unit: int) -> Failure | None:
    group = known.failure_of(index_of(unit)) if unit == ITEM else None
    return group.failure if group else known.stage_failures.get(unit)


@pytest.mark.parametrize(
    ("unit", "where"),
    [
        (ITEM, "Step 2 of 3, shop.step1"),
        (stage_unit(Stage.BEFORE, 1), "Step 2 of 2, shop.second"),
        (stage_unit(Stage.CALLBACK, 1), "Step 2 of 2, shop.second"),
    ],
    ids=["item", "before", "callback"],
)
@pytest.mark.parametrize(
    ("way", "failure"),
    [(_adopted, POISON), (_given_up, POISON), (_missing, HOPELESS)],
    ids=["adopted", "given up", "missing"],
)
def test_a_step_that_is_given_up_is_named(way: Way, failure: Failure, unit: int, where: str) -> None:
    found = failure_of(way(books(unit), unit), unit)

    assert found == replace(failure, message=f"{where}: {failure.message}")


def test_the_status_and_the_event_name_it() -> None:
    known = books(ITEM)
    plan = look(running(WANTED, known, queue=queue(4), view=view(given_up=frozenset([TaskId(UID, ITEM)]))))

    message = f"Step 2 of 3, shop.step1: {POISON.message}"
    assert [(one.reason, one.message, one.indexes) for one in plan.status.failures or ()] == [("Lost", message, "1")]
    assert message in plan.events[0].message


def test_an_operator_that_died_after_the_broker_gave_it_up_names_it_too() -> None:
    known = books(ITEM)
    theirs = BrokerBooks(losses={ITEM: MAX_LOSSES + 1}, released=known.released)
    plan = look(running(WANTED, known, queue=queue(4), books=theirs))

    assert [one.message for one in plan.status.failures or ()] == [f"Step 2 of 3, shop.step1: {POISON.message}"]


@pytest.mark.parametrize("known", [None, work(chain_spec(2, 4)), work(spec(4))], ids=["none", "shorter", "no chain"])
def test_a_step_that_the_spec_does_not_have_is_given_up_without_a_name(known: Work | None) -> None:
    unit = unit_of(1, 2)
    theirs = BrokerBooks(losses={unit: MAX_LOSSES + 1})
    adopted = adopt(ledger(4, dispatched=4, steps=3), state(), theirs, NOW, MAX_LOSSES, known)

    assert [(group.failure, group.indexes) for group in adopted.failures] == [(POISON, indexes(1))]
