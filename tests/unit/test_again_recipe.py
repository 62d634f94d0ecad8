"""The recipe by which a group runs again: the program of the examples, run by jq itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.compiled import compile_work
from taskgroup.api.spec import TaskGroupSpec

PROGRAM = Path(__file__).parents[2] / "examples" / "again.jq"
TEMPLATE = {"task": "shop.send", "args": ["$(item)"]}
WORKERS = {"image": "shop:1", "app": "shop"}

MATRIX = {"axes": {"c": [0, 1, 2], "b": [1, 3]}, "exclude": [{"b": 1, "c": 1}, {"b": 3, "c": 2}], "include": [{"d": 4}]}


def again(spec: dict[str, Any], *arguments: str, **status: Any) -> subprocess.CompletedProcess[str]:
    group = {
        "apiVersion": "taskgroups.dev/v1alpha1",
        "kind": "TaskGroup",
        "metadata": {"name": "n" * 52, "namespace": "shop", "uid": "u", "resourceVersion": "7"},
        "spec": {"template": TEMPLATE, "workers": WORKERS, **spec},
        "status": {"completedIndexes": "0", **status},
    }
    command = ["jq", *arguments, "--from-file", str(PROGRAM)]
    return subprocess.run(command, input=json.dumps(group), capture_output=True, text=True, check=False)


def made(answer: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert answer.returncode == 0, answer.stderr
    group: dict[str, Any] = json.loads(answer.stdout)
    assert group.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert group["metadata"] == {"generateName": "n" * 46 + "-", "namespace": "shop"}
    TaskGroupSpec.model_validate(group["spec"])
    return group


def test_all_items_run_again_in_a_new_group() -> None:
    spec = {"items": [1, {"a": None}, "x"]}

    assert made(again(spec, failedIndexes="1"))["spec"]["items"] == spec["items"]


@pytest.mark.parametrize(
    ("spec", "failed", "items"),
    [
        ({"items": ["a", "b", "c", "d", "e"]}, "1-2,4", ["b", "c", "e"]),
        ({"sequence": {"start": 10, "count": 9, "step": -2}}, "0,3-4", [10, 4, 2]),
        ({"sequence": {"count": 9}}, "8", [8]),
        ({"matrix": MATRIX}, "0-4", [{"b": 1, "c": 0}, {"b": 1, "c": 2}, {"b": 3, "c": 0}, {"b": 3, "c": 1}, {"d": 4}]),
        ({"matrix": {"axes": {"a": [None, 5, 6]}}}, "0,2", [{"a": None}, {"a": 6}]),
        ({"items": ["a", "b", "c"], "template": {"group": [TEMPLATE, TEMPLATE]}}, "2-5", ["b", "c"]),
    ],
)
def test_only_the_failed_items_run_again(spec: dict[str, Any], failed: str, items: list[Any]) -> None:
    group = made(again(spec, "--arg", "only", "failed", failedIndexes=failed))

    assert group["spec"]["items"] == items
    assert not {"sequence", "matrix"} & group["spec"].keys()


def test_the_recipe_numbers_a_matrix_as_the_operator_does() -> None:
    work = compile_work(TaskGroupSpec.model_validate({"matrix": MATRIX, "template": TEMPLATE, "workers": WORKERS}), "n")
    group = made(again({"matrix": MATRIX}, "--arg", "only", "failed", failedIndexes="0-4"))

    assert [work.call(index).args for index in range(work.total)] == [[item] for item in group["spec"]["items"]]


def test_what_ended_or_held_the_old_group_is_not_in_the_new_one() -> None:
    asked = {"cancel": True, "suspend": True, "retry": {"id": "one"}, "suspendMode": "Stop"}
    group = made(again({"items": [1], **asked}))

    assert not {"cancel", "suspend", "retry"} & group["spec"].keys()
    assert group["spec"]["suspendMode"] == "Stop"


@pytest.mark.parametrize(
    ("spec", "status", "reason"),
    [
        ({"items": [1]}, {}, "no item failed"),
        ({"items": [1]}, {"indexesTruncated": True}, "too long for the status"),
        ({"itemsFrom": {"url": "http://files.example/a.csv"}}, {"failedIndexes": "0"}, "by spec.retry"),
    ],
)
def test_a_group_whose_failed_items_are_not_known_is_refused(
    spec: dict[str, Any], status: dict[str, Any], reason: str
) -> None:
    answer = again(spec, "--arg", "only", "failed", **status)

    assert answer.returncode != 0
    assert reason in answer.stderr
