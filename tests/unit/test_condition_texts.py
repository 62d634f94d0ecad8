"""Every condition in every situation, as kubectl wait, Helm and Flux read it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import (
    NOW,
    condition,
    decided,
    finished,
    indexes,
    ledger,
    look,
    not_registered,
    observed,
    running,
    said,
    spec,
    view,
    work,
)
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.exchange import View
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.status.condition_texts import condition_texts
from taskgroup.core.status.conditions import find, merged
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.trouble import Trouble

WRONG = Trouble(Reason.SECRET_NOT_FOUND, "Make the Secret.")
GOOD = running(ledger=ledger(10, dispatched=10, succeeded=full(10)))
BAD = running(ledger=ledger(10, dispatched=10, succeeded=full(9), failed=indexes(9)))
LATE = running(spec(activeDeadlineSeconds=60), ledger(10, dispatched=10, running_since=NOW - 100))
OUTCOME = (
    ConditionType.COMPLETE,
    ConditionType.FAILED,
    ConditionType.FAILURE_TARGET,
    ConditionType.SUCCESS_CRITERIA_MET,
    ConditionType.FINISHED,
)
READINESS = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)

SITUATIONS: dict[str, tuple[Observed, str, str, str]] = {
    # situation: (look, the outcome conditions as above, readiness as above, state)
    "new, no broker yet": (observed(queue=None), "-----", "-+-", "Pending"),
    "starting": (observed(), "-----", "-+-", "Pending"),
    "no worker has run yet": (running(view=view(2, ready=0)), "-----", "-+-", "Pending"),
    "no worker can run": (running(view=view(2, ready=0, trouble=WRONG)), "-----", "-+-", "Pending"),
    "some had run before": (
        running(view=view(2, ready=0), ledger=ledger(dispatched=3, succeeded=indexes(1))),
        "-----",
        "-+-",
        "Running",
    ),
    "suspended from the beginning": (observed(spec(suspend=True)), "-----", "+--", "Suspended"),
    "cannot be read": (observed(invalid=WRONG, work=None), "-----", "--+", "Pending"),
    "running": (running(), "-----", "-+-", "Running"),
    "suspended": (running(spec(suspend=True)), "-----", "+--", "Suspended"),
    "wrong while running": (running(invalid=WRONG), "-----", "--+", "Running"),
    "wrong while suspended": (running(spec(suspend=True), invalid=WRONG), "-----", "--+", "Suspended"),
    "held, later": (running(ledger=ledger(dispatched=3, unknown_tasks=("shop.send",))), "-----", "--+", "Running"),
    "no view yet": (running(view=None), "-----", "-+-", "Pending"),
    "task unknown": (running(ledger=ledger(dispatched=3), completions=not_registered(1)), "-----", "--+", "Running"),
    "broker away": (running(queue=None, backend_trouble=WRONG), "-----", "-+-", "Running"),
    "failure decided, some have not ended": (LATE, "--+--", "-+-", "Running"),
    "these are cancelled": (decided(LATE), "-++-+", "--+", "Failed"),
    "complete": (GOOD, "+--++", "+--", "Complete"),
    "failed": (BAD, "-++-+", "--+", "Failed"),
    "complete, later": (finished(GOOD), "+--++", "+--", "Complete"),
    "failed, later": (finished(BAD), "-++-+", "--+", "Failed"),
    "complete, then spoiled": (
        replace(finished(GOOD), invalid=WRONG, work=None, spec=None),
        "+--++",
        "+--",
        "Complete",
    ),
    "complete, then appended to": (
        replace(finished(GOOD), spec=spec(15), work=work(spec(15))),
        "+--++",
        "--+",
        "Complete",
    ),
    "failed, then suspended": (replace(finished(BAD), spec=spec(suspend=True)), "-++-+", "--+", "Failed"),
}


def shown(status: TaskGroupStatus, kinds: tuple[ConditionType, ...]) -> str:
    return "".join("+" if said(status, kind)[0] == "True" else "-" for kind in kinds)


@pytest.mark.parametrize("name", SITUATIONS)
def test_outcome_readiness_and_state(name: str) -> None:
    seen, outcome, readiness, state = SITUATIONS[name]

    status = reconcile(seen, NOW + 1).status

    assert (shown(status, OUTCOME), shown(status, READINESS), status.state) == (outcome, readiness, state)


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_type_is_written_from_the_first_time_with_its_generation(name: str) -> None:
    seen = replace(SITUATIONS[name][0], meta=replace(SITUATIONS[name][0].meta, generation=7))

    conditions = reconcile(seen, NOW + 1).status.conditions

    assert conditions is not None
    assert [condition.type for condition in conditions] == list(ConditionType)
    assert {condition.observed_generation for condition in conditions} == {7}
    assert all(condition.reason for condition in conditions)


def test_the_end_is_not_called_a_run() -> None:
    for seen, sentence in (
        (GOOD, "All 10 items succeeded."),
        (BAD, "1 of 10 items failed: ValueError (1)."),
        (LATE, "The group is ending: 10 of 10 items"),
    ):
        ready = find(reconcile(seen, NOW + 1).status, ConditionType.READY)
        assert ready is not None
        assert ready.message.startswith(sentence)


def test_before_a_worker_has_run_ready_says_what_is_waited_for() -> None:
    ready = find(reconcile(running(view=view(2, ready=0)), NOW + 1).status, ConditionType.READY)

    assert ready is not None
    assert (ready.reason, ready.message) == (Reason.PENDING, "0 of 2 worker pods run.")


def test_whatever_is_not_ready_says_why() -> None:
    for name, (seen, _, readiness, _) in SITUATIONS.items():
        status = reconcile(seen, NOW + 1).status
        ready = next(condition for condition in status.conditions or () if condition.type == ConditionType.READY)
        assert readiness[0] == "+" or ready.message, name


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"view": view(3)}, ("True", Reason.WORKERS_READY)),
        ({"view": view(3, ready=1)}, ("True", Reason.WORKERS_READY)),
        ({"view": view(3, ready=0)}, ("False", Reason.WORKERS_STARTING)),
        ({"view": view(0)}, ("False", Reason.WORKERS_STARTING)),
        ({"view": None}, ("False", Reason.WORKERS_STARTING)),
        ({"view": view(3, trouble=WRONG)}, ("False", Reason.SECRET_NOT_FOUND)),
        ({"view": view(0, trouble=WRONG)}, ("False", Reason.SECRET_NOT_FOUND)),
        ({"spec": spec(suspend=True)}, ("True", Reason.NO_WORKERS_NEEDED)),
        ({"spec": spec(suspend=True), "view": view(3, trouble=WRONG)}, ("True", Reason.NO_WORKERS_NEEDED)),
    ],
)
def test_workers(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    plan = reconcile(replace(running(), **fields), NOW)

    assert said(plan.status, ConditionType.WORKERS_READY) == expected


def test_workers_that_start_are_counted() -> None:
    def message(shown: View | None) -> str:
        return condition(reconcile(running(view=shown), NOW).status, ConditionType.WORKERS_READY).message

    assert message(view(3, ready=0)) == "0 of 3 worker pods run."
    assert message(view(0)) == message(None) == "Worker pods are being asked for."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("True", Reason.REACHABLE)),
        ({"queue": None}, ("Unknown", Reason.UNKNOWN)),
        ({"backend_trouble": Trouble(Reason.ACCESS_DENIED, "Check the password.")}, ("False", Reason.ACCESS_DENIED)),
    ],
)
def test_backend(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(reconcile(replace(running(), **fields), NOW).status, ConditionType.BACKEND_REACHABLE) == expected


def test_what_hinders_a_running_group_is_what_ready_says() -> None:
    status = reconcile(replace(running(), backend_trouble=WRONG), NOW).status

    assert said(status, ConditionType.READY) == ("False", Reason.SECRET_NOT_FOUND)
    assert said(status, ConditionType.RECONCILING) == ("True", Reason.SECRET_NOT_FOUND)


def test_suspension_has_the_reasons_of_a_job() -> None:
    assert said(reconcile(running(), NOW).status, ConditionType.SUSPENDED) == ("False", Reason.NOT_SUSPENDED)
    stopped = reconcile(running(spec(suspend=True)), NOW).status
    assert said(stopped, ConditionType.SUSPENDED) == ("True", Reason.JOB_SUSPENDED)
    resumed = reconcile(running(status=stopped), NOW).status
    assert said(resumed, ConditionType.SUSPENDED) == ("False", Reason.JOB_RESUMED)


troubles = st.none() | st.just(WRONG)
verdicts = st.builds(Verdict, st.booleans(), st.just("Because"), st.just("So it is."))


@given(
    phase=st.sampled_from(list(Phase)),
    verdict=verdicts,
    wrong=troubles,
    away=troubles,
    crash=troubles,
    suspend=st.booleans(),
    wanted=st.integers(0, 2),
    needs_workers=st.booleans(),
)
def test_no_situation_is_both_on_its_way_and_stuck(
    phase: Phase,
    verdict: Verdict,
    wrong: Trouble | None,
    away: Trouble | None,
    crash: Trouble | None,
    suspend: bool,
    wanted: int,
    needs_workers: bool,
) -> None:
    seen = observed(spec(suspend=suspend), backend_trouble=away, view=view(wanted, trouble=crash))
    inputs = StatusInput(
        phase=phase, ledger=ledger(), needs_workers=needs_workers, verdict=verdict, configuration=wrong
    )

    texts = condition_texts(seen, inputs)

    assert texts.keys() == set(ConditionType)
    status = TaskGroupStatus(conditions=merged((), texts, 1, NOW))
    ready, moving, stuck = (mark == "+" for mark in shown(status, READINESS))
    assert ready + moving + stuck == 1, "exactly one of them"
    complete, failed, target, met, end = (mark == "+" for mark in shown(status, OUTCOME))
    assert not (complete and failed)
    assert not (target and met)
    assert end == (complete or failed) == (phase is Phase.FINISHED)
    assert not complete or (met and ready == (wrong is None))
    assert not failed or (target and stuck)


def test_a_resumed_group_waits_for_its_workers_in_words() -> None:
    """It said that items were being run while no worker was there."""
    halted = running(spec(suspend=True))
    resumed = look(replace(halted, spec=spec(), status=look(halted).status, view=view(0))).status

    ready = find(resumed, ConditionType.READY)
    assert ready is not None
    assert (ready.reason, ready.message) == (Reason.PENDING, "Worker pods are being asked for.")
