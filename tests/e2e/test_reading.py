"""What a person and the usual tools read from a group: columns, events, conditions."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.groups import Group, condition, holding, manifest
from support.space import Space
from support.wait import COMMAND_SECONDS, PATIENCE
from taskgroup.api.names import ConditionType

COLUMNS = ["NAME", "PROGRESS", "SUCCEEDED", "FAILED", "WORKERS", "STATE", "AGE"]
MIXED: dict[str, Any] = {
    "items": [1, 2, -3, 4, 5, 7, 17, 8],
    "template": {"task": "numbers.check", "args": ["$(item)"]},
}
OF_A_BUSY_MACHINE = {"WorkersNotReady", "BackendUnreachable"}
"""True events, where a pod needs a minute to start or Redis some seconds to answer."""
SQUARES: dict[str, Any] = {"sequence": {"count": 30}, "template": {"task": "numbers.square", "args": ["$(item)"]}}


def kstatus(group: Group) -> dict[str, str]:
    """The three conditions that kstatus reads."""
    return {kind: condition(group.status(), kind)["status"] for kind in ("Ready", "Reconciling", "Stalled")}


def test_get_shows_a_group_in_one_line(space: Space) -> None:
    group = space.create("squares", **SQUARES)
    space.kube.run("wait", "taskgroup/squares", "--for=condition=Finished", f"--timeout={PATIENCE}s")
    group.until_finished(seconds=0)
    group.until_no_workers()
    group.until(lambda seen: not seen["workers"]["ready"])
    header, line = space.kube.run("get", "tg").splitlines()
    assert header.split() == COLUMNS
    assert line.split()[:-1] == ["squares", "30/30", "30", "0", "0", "Complete"]
    assert "taskgroup.taskgroups.dev/squares" in space.kube.run("get", "all", "--output", "name")


def test_a_running_group_says_when_it_will_end(space: Space) -> None:
    task = {"task": "numbers.sleep", "args": [0.2]}
    group = space.create("estimated", sequence={"count": 2000}, template=task, parallelism=4)
    status = group.until(lambda seen: seen.get("estimatedCompletionTime"))
    assert status["startTime"] < status["estimatedCompletionTime"]
    header, line = space.kube.run("get", "tg", "estimated", "--output", "wide").splitlines()
    shown = line[header.index("RATE") :].split()
    assert shown[0].endswith(("/s", "/min"))
    group.change(suspend=True)
    group.until(lambda seen: "estimatedCompletionTime" not in seen and "rate" not in seen)


def test_describe_tells_a_failed_group_as_a_story(space: Space) -> None:
    group = space.create("mixed", **MIXED)
    space.kube.run("wait", "taskgroup/mixed", "--for=condition=Finished", f"--timeout={PATIENCE}s")
    status = group.until_finished("Failed", 0)
    assert status["failedIndexes"] == "2,5,6"
    space.kube.until(lambda: "Failed" in group.events(), state=group.events)
    told = space.kube.run("describe", "tg", "mixed")
    events = told[told.index("Events:") :]
    for words in (
        "Started with 8 items.",
        "Item 2 failed: ValueError: a number must not be negative",
        "failed: LookupError: numbers that end in 7 are not in the table",
        "3 of 8 items failed: LookupError (2), ValueError (1).",
    ):
        assert words in events, told
    assert "Traceback" not in events


def test_events_come_at_each_turn_and_progress_at_most_every_tenth(space: Space) -> None:
    group = space.create(**holding(40))
    group.let_end(10)
    group.open_gate()
    group.until_finished()
    space.kube.until(lambda: "Completed" in group.events(), state=group.events)
    events = group.events()
    assert events.count("Started") == events.count("Completed") == 1
    assert 0 < events.count("Progress") <= 9, events
    assert set(events) - OF_A_BUSY_MACHINE == {"Started", "Progress", "Completed"}


def test_every_condition_is_there_from_the_first_status(space: Space) -> None:
    group = space.create(suspend=True, **SQUARES)
    status = group.until(lambda seen: "conditions" in seen)
    assert [found["type"] for found in status["conditions"]] == [kind.value for kind in ConditionType]
    assert {found["observedGeneration"] for found in status["conditions"]} == {1}
    assert kstatus(group) == {"Ready": "True", "Reconciling": "False", "Stalled": "False"}


def test_kstatus_tells_running_done_and_failed_apart(space: Space) -> None:
    running = space.create("running", **holding(3))
    running.until(lambda seen: seen["state"] == "Running")
    assert kstatus(running) == {"Ready": "False", "Reconciling": "True", "Stalled": "False"}
    failing = space.create("failing", **MIXED)
    failing.until_finished("Failed")
    assert kstatus(failing) == {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
    running.open_gate()
    running.until_finished()
    assert kstatus(running) == {"Ready": "True", "Reconciling": "False", "Stalled": "False"}


def test_helm_waits_for_a_group_to_complete(space: Space, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "work", "version": "1.0.0"}))
    (tmp_path / "templates/group.yaml").write_text(yaml.safe_dump(manifest("group", **SQUARES)))
    command = ["helm", "install", "work", str(tmp_path), "--namespace", space.kube.namespace]
    command += ["--wait", f"--timeout={PATIENCE}s"]
    environment = {**os.environ, "KUBECONFIG": space.kube.kubeconfig}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert space.group("group").status()["state"] == "Complete"
