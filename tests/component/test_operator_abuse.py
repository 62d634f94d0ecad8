"""What one namespace's users can write must not stop the operator, which serves the others too."""

import json
from collections.abc import Iterator

import pytest

from support.task_groups import Bench, running_bench
from support.wait import eventually

LEVELS = 9_900
"""The API server takes 10,000."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own, for all tests of this file."""
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def test_items_nested_ten_thousand_levels_are_refused_and_harm_nobody_else(bench: Bench) -> None:
    _create_nested(bench, "nested", LEVELS)
    eventually(lambda: "nested too deeply" in _conditions(bench, "nested"), 60, lambda: bench.operator.log[-3000:])
    uid = bench.apply("other", sequence={"count": 2}, template={"task": "demo.noop"})
    with bench.worker(uid):
        status = bench.finished("other")

    assert status["succeeded"] == 2
    assert "Traceback" not in bench.operator.log


def _conditions(bench: Bench, name: str) -> str:
    """Without the spec, which Python's JSON reader would refuse here."""
    return bench.kubectl("get", "tg", name, "--output", "jsonpath={.status.conditions}").stdout


def _create_nested(bench: Bench, name: str, levels: int) -> None:
    """As text: Python's JSON writer has a limit of its own."""
    manifest = {
        "apiVersion": "taskgroups.dev/v1alpha1",
        "kind": "TaskGroup",
        "metadata": {"name": name},
        "spec": {
            "items": ["LIST"],
            "template": {"task": "demo.noop", "args": ["$(item)"]},
            "workers": {"image": "localhost/none:1", "app": "demo"},
            "broker": {"secretKeyRef": {"name": "redis"}},
        },
    }
    path = bench.folder / f"{name}.json"
    path.write_text(json.dumps(manifest).replace('"LIST"', "[" * levels + "]" * levels))
    where = f"/apis/taskgroups.dev/v1alpha1/namespaces/{bench.kubectl.namespace}/taskgroups"
    done = bench.kubectl("create", "--raw", where, "--filename", str(path))
    assert done.returncode == 0, done.stderr[-500:]
