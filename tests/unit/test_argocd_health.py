"""What Argo CD shows for a TaskGroup: docs/gitops/health.lua, run by Lua on statuses that the operator decides."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from lupa.lua51 import LuaError

from support.argocd import HealthScript
from support.builders import (
    NOW,
    completions,
    finished,
    indexes,
    ledger,
    look,
    not_registered,
    observed,
    running,
    spec,
    view,
    work,
)
from support.situations import groups
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import NEVER_OBSERVED, TaskGroupStatus
from taskgroup.core.groups.observed import Observed
from taskgroup.core.indexes import full
from taskgroup.core.status.conditions import fails, is_true, with_hindrance, with_ready
from taskgroup.core.trouble import Trouble

SCRIPT = HealthScript(Path(__file__).parents[2] / "docs/gitops/health.lua")
NOT_SEEN = ("Progressing", "The operator has not looked at this version yet.")
NO_SECRET = Trouble(Reason.SECRET_NOT_FOUND, "Make the Secret.")
NO_IMAGE = Trouble(Reason.IMAGE_CANNOT_BE_PULLED, "Check the name.")
AWAY = Trouble(Reason.UNREACHABLE, "Start Redis.")
GOOD = running(ledger=ledger(10, dispatched=10, succeeded=full(10)))
BAD = running(ledger=ledger(10, dispatched=10, succeeded=full(9), failed=indexes(9)))
LATE = running(spec(activeDeadlineSeconds=60), ledger(10, dispatched=10, running_since=NOW - 100))

SITUATIONS: dict[str, tuple[Observed, str, str]] = {
    # situation: (look, health, words of the message)
    "new": (observed(queue=None), "Progressing", "The group has not started yet."),
    "opened": (observed(), "Progressing", "Worker pods are being asked for."),
    "starting": (running(view=view(2, ready=0)), "Progressing", "0 of 2 worker pods run."),
    "no worker can run": (running(view=view(2, ready=0, trouble=NO_IMAGE)), "Progressing", "Check the name."),
    "the broker is away": (running(queue=None, backend_trouble=AWAY), "Progressing", "Start Redis."),
    "running": (running(), "Progressing", "Items are being run."),
    "some failed": (running(completions=completions(failed=[1])), "Progressing", "Items are being run."),
    "ending": (LATE, "Progressing", "The group is ending:"),
    "complete": (finished(GOOD), "Healthy", "10 items succeeded"),
    "failed": (finished(BAD), "Degraded", "1 of 10 items failed: ValueError (1)."),
    "too late": (finished(LATE), "Degraded", "activeDeadlineSeconds"),
    "wrong from the beginning": (observed(invalid=NO_SECRET, work=None), "Degraded", "Make the Secret."),
    "wrong while it runs": (running(invalid=NO_SECRET), "Degraded", "Make the Secret."),
    "the task is unknown": (
        running(ledger=ledger(dispatched=3), completions=not_registered(1)),
        "Degraded",
        "shop.send",
    ),
    "appended to after its end": (
        replace(finished(GOOD), spec=spec(15), work=work(spec(15))),
        "Degraded",
        "new TaskGroup",
    ),
    "suspended": (running(spec(suspend=True)), "Suspended", "spec.suspend is true: set it to false to go on."),
    "suspended before its start": (observed(spec(suspend=True)), "Suspended", "set it to false to go on."),
    "wrong while suspended": (running(spec(suspend=True), invalid=NO_SECRET), "Degraded", "Make the Secret."),
    "complete, then suspended": (replace(finished(GOOD), spec=spec(suspend=True)), "Healthy", "10 items succeeded"),
}


def stored(status: TaskGroupStatus, **metadata: Any) -> dict[str, Any]:
    """The object as the API server has it."""
    return {"metadata": {"generation": 1} | metadata, "status": status.dump()}


@pytest.mark.parametrize("name", SITUATIONS)
def test_health_and_what_a_person_needs_to_know(name: str) -> None:
    seen, health, words = SITUATIONS[name]

    found, message = SCRIPT.health(stored(look(seen, NOW + 1).status))

    assert (found, words in message) == (health, True), message


def by_the_outcome(status: TaskGroupStatus) -> str:
    """The health without kstatus' conditions, from those that `kubectl wait` reads."""
    wrong = next(
        condition for condition in status.conditions or () if condition.type == ConditionType.CONFIGURATION_VALID
    )
    if is_true(status, ConditionType.FAILED) or wrong.status == "False":
        return "Degraded"
    if is_true(status, ConditionType.COMPLETE):
        return "Healthy"
    return "Suspended" if is_true(status, ConditionType.SUSPENDED) else "Progressing"


@given(groups())
def test_every_group_has_the_health_of_its_outcome_and_a_message(seen: Observed) -> None:
    status = look(seen, NOW + 50).status

    health, message = SCRIPT.health(stored(status))

    assert health == by_the_outcome(status)
    assert message


@pytest.mark.parametrize(
    "obj",
    [
        {"metadata": {"generation": 1}},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": NEVER_OBSERVED}},
        stored(look(finished(GOOD)).status, generation=2),
        stored(look(finished(BAD)).status, generation=2),
    ],
    ids=["no status", "the default status", "complete before the change", "failed before the change"],
)
def test_what_the_operator_has_not_seen_is_awaited(obj: dict[str, Any]) -> None:
    assert SCRIPT.health(obj) == NOT_SEEN


@pytest.mark.parametrize("seen", [running(), finished(GOOD), finished(BAD)], ids=["running", "complete", "failed"])
def test_a_deletion_says_what_it_waits_for(seen: Observed) -> None:
    status, going = look(seen).status, {"generation": 2, "deletionTimestamp": "2026-11-21T11:17:56Z"}
    assert SCRIPT.health(stored(status, **going)) == ("Progressing", "The TaskGroup is being deleted.")

    waiting = fails(Reason.DELETING, "Waiting for 1 worker pod to stop: b (up to 60 s).")
    told = status.model_copy(update={"conditions": with_ready(status.conditions or (), waiting, 1, NOW)})
    assert SCRIPT.health(stored(told, **going)) == ("Progressing", waiting.message)


def test_what_hinders_the_operator_itself_is_shown() -> None:
    status = look(running()).status
    hindered = status.model_copy(update={"conditions": with_hindrance(status.conditions or (), "No right.", 1, NOW)})
    assert SCRIPT.health(stored(hindered)) == ("Progressing", "No right.")


@pytest.mark.parametrize(
    "needed", ["io.open('x')", "os.time()", "string.len('x')", "('x'):len()", "require('os')", "math.huge()"]
)
def test_a_script_that_needs_what_argo_cd_does_not_give_fails(needed: str, tmp_path: Path) -> None:
    script = tmp_path / "health.lua"
    script.write_text(f"local found = {needed}\nreturn {{status = 'Healthy', message = ''}}")
    with pytest.raises(LuaError, match=r"(nil|string) value"):
        HealthScript(script).health({})
