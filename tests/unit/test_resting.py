"""When a group needs no look before something changes, and when it does."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, finished, ledger, look, queue, running, spec, view
from taskgroup.core.exchange import View
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.resting import FOREVER, has_come_to_rest, rest_part
from taskgroup.core.indexes import full
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.trouble import Trouble

CALM = View(rests=True)
ENDED = finished(running(ledger=ledger(10, dispatched=10, succeeded=full(10))))
HALTED = running(spec(suspend=True), ledger(10, dispatched=4, succeeded=full(4)))
AWAY = Trouble("Unreachable", "Redis cannot be reached.")


def at_rest(seen: Observed) -> Observed:
    return replace(seen, view=CALM, queue=queue())


@pytest.mark.parametrize("seen", [ENDED, HALTED], ids=["ended", "suspended"])
def test_without_work_and_workers_nothing_is_looked_at_any_more(seen: Observed) -> None:
    plan = look(at_rest(seen))

    assert plan.rests
    assert plan.wake_after == FOREVER


@pytest.mark.parametrize(
    "difference",
    [
        {"view": None},
        {"view": view()},
        {"view": replace(CALM, current=False)},
        {"queue": None},
        {"queue": queue(1)},
        {"queue": queue(0, 1)},
        {"backend_trouble": AWAY},
    ],
    ids=["no word of the pool", "pods", "old word", "broker away", "queued", "held", "trouble"],
)
@pytest.mark.parametrize("seen", [ENDED, HALTED], ids=["ended", "suspended"])
def test_whatever_is_left_is_looked_at_again(seen: Observed, difference: dict[str, Any]) -> None:
    plan = look(at_rest(seen), **difference)

    assert not plan.rests
    assert plan.wake_after <= seen.resync_seconds


def test_items_that_still_run_keep_a_suspended_group_awake() -> None:
    plan = look(at_rest(running(spec(suspend=True), ledger(10, dispatched=5, succeeded=full(4)))))

    assert not plan.rests


def test_a_running_group_never_rests() -> None:
    assert not look(at_rest(running())).rests


def test_the_end_of_the_time_to_live_wakes_it() -> None:
    wanted = spec(ttlSecondsAfterFinished=100)
    ended = finished(running(wanted, ledger(10, dispatched=10, succeeded=full(10))))

    plan = look(at_rest(ended), NOW + 40)

    assert plan.rests
    assert plan.wake_after == pytest.approx(60, abs=2)


def test_the_status_tells_the_next_operator_what_has_come_to_rest() -> None:
    status = look(at_rest(ENDED)).status
    assert phase_of(status) is Phase.FINISHED
    assert has_come_to_rest(ENDED.meta, status)

    assert not has_come_to_rest(replace(ENDED.meta, generation=ENDED.meta.generation + 1), status), "spec changed"
    assert not has_come_to_rest(ENDED.meta, look(ENDED, view=view(2, replicas=2)).status), "pods"
    assert not has_come_to_rest(ENDED.meta, look(ENDED, view=CALM, queue=queue(3)).status), "subtasks wait"
    assert not has_come_to_rest(HALTED.meta, look(at_rest(HALTED)).status), "it can go on"


def test_a_thousand_groups_at_rest_keep_only_what_is_read_of_them() -> None:
    """Twelve conditions, index lists and failures of each took a tenth of the operator's memory."""
    status = look(at_rest(ENDED)).status
    kept = rest_part(status)

    assert has_come_to_rest(ENDED.meta, kept)
    assert kept.completion_time == status.completion_time
    assert len(kept.conditions or ()) == 2
    assert kept.completed_indexes is None
    assert not has_come_to_rest(HALTED.meta, rest_part(look(at_rest(HALTED)).status))
