"""What one namespace's users can write must not stop the operator, which serves the others too."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.task_groups import Bench, running_bench
from support.wait import PATIENCE, eventually

LEVELS = 9_900
"""The API server takes 10,000."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own, for all tests of this file."""
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def test_items_nested_ten_thousand_levels_are_refused_and_harm_nobody_else(bench: Bench) -> None:
    _create_nested(bench, "nested", LEVELS)
    eventually(lambda: "nested too deeply" in _conditions(bench, "nested"), state=lambda: bench.operator.log[-3000:])
    uid = bench.apply("other", sequence={"count": 2}, template={"task": "demo.noop"})
    with bench.worker(uid):
        status = bench.finished("other")

    assert status["succeeded"] == 2
    assert "Traceback" not in bench.operator.log


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("18446744073709551615", "18446744073709552000"),
        ("-9223372036854775809", "-9223372036854776000"),
        ("1e20", "100000000000000000000"),
    ],
)
def test_a_number_that_the_api_server_altered_is_not_sent(bench: Bench, written: str, stored: str) -> None:
    name = f"number-{written.strip('-')}"
    assert _create_with(bench, name, f'{{"id": {written}}}') == ""
    assert f'"id":{stored}' in bench.kubectl("get", "tg", name, "--output", "jsonpath={.spec.items}").stdout
    said = f"spec.items[0].id: It reads {stored} here"
    eventually(lambda: said in _conditions(bench, name), state=lambda: _conditions(bench, name))


def test_a_number_that_nothing_can_hold_is_refused_by_the_api_server(bench: Bench) -> None:
    assert "1e400" in _create_with(bench, "endless", "1e400")


def test_a_deployment_that_was_taken_away_is_told_and_not_looked_at_all_the_time(bench: Bench) -> None:
    uid = bench.apply("taken", sequence={"count": 2}, template={"task": "demo.noop"})
    bench.until("taken", lambda status: status.get("active"))
    begin = time.monotonic()
    removal = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
    bench.kubectl("patch", "deployment", f"taken-{uid[:8]}", "--type", "json", "--patch", removal)
    bench.until("taken", lambda _: "does not belong" in bench.condition("taken", "Ready").get("message", ""))

    assert bench.operator.log.count("does not belong") < 10 + (time.monotonic() - begin), "more than once a second"


def test_a_pool_that_cannot_be_looked_after_does_not_stop_the_counting(bench: Bench) -> None:
    uid = bench.apply("stuck", sequence={"count": 20}, template={"task": "demo.gate", "args": ["stuck"]})
    with bench.worker(uid), bench.redis() as client:
        bench.until("stuck", lambda status: status.get("active"))
        removal = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
        bench.kubectl("patch", "deployment", f"stuck-{uid[:8]}", "--type", "json", "--patch", removal)
        bench.until("stuck", lambda _: "does not belong" in bench.condition("stuck", "WorkersReady").get("message", ""))
        client.set("open:stuck", 1)
        status = bench.finished("stuck")

    assert (status["state"], status["succeeded"]) == ("Complete", 20)


def test_a_paused_operator_does_not_write_over_what_its_successor_wrote(bench: Bench) -> None:
    uid = bench.apply("paused", items=["a", "b"], template={"task": "demo.gate", "args": ["$(item)"]})
    with bench.worker(uid), bench.redis() as client:
        bench.until("paused", lambda status: status.get("active") == 2)
        bench.operator.pause()
        _finish(bench, "paused")
        client.set("open:a", 1)
        eventually(lambda: client.exists(f"celery-task-meta-{uid}.0"))
        before = _refusals(bench, "paused")
        bench.operator.resume()
        # What ended comes to the operator: its status is written, or refused.
        eventually(
            lambda: _refusals(bench, "paused") > before or bench.status("paused")["state"] != "Complete",
            state=lambda: bench.operator.log[-3000:],
        )
        client.set("open:b", 1)

    assert bench.status("paused")["state"] == "Complete"


def test_an_annotation_of_anybody_does_not_keep_an_object_from_being_deleted(bench: Bench) -> None:
    """What held how far the cleanup was stood in an annotation; one that was no JSON failed the deletion for ever."""
    bench.apply("kept", sequence={"count": 2}, template={"task": "demo.noop"}, suspend=True)
    bench.until("kept", lambda status: status.get("state") == "Suspended")
    annotations = [f"taskgroups.dev/{name}=x" for name in ("cleanup", "loop", "touch-dummy", "kopf-managed")]
    bench.kubectl("annotate", "tg", "kept", *annotations)
    done = bench.kubectl("delete", "tg", "kept", "--wait=true", f"--timeout={PATIENCE}s")

    assert done.returncode == 0, done.stderr + bench.operator.log[-3000:]


def test_a_cleanup_that_the_api_server_refuses_is_tried_again(bench: Bench) -> None:
    """How far it is stands in memory alone, and nothing else tells of the object again."""
    uid = bench.apply("again", sequence={"count": 2}, template={"task": "demo.gate", "args": ["again"]})
    bench.until("again", lambda status: status.get("active"))
    with _undeletable_deployments(bench, f"again-{uid[:8]}"):
        bench.kubectl("delete", "tg", "again", "--wait=false")
        eventually(lambda: "no Deployment may go" in bench.operator.log, state=lambda: bench.operator.log[-3000:])
        assert bench.group("again")["metadata"]["deletionTimestamp"]
    eventually(
        lambda: bench.is_gone("again"),
        state=lambda: bench.operator.log[-3000:],
    )


@contextmanager
def _undeletable_deployments(bench: Bench, name: str) -> Iterator[None]:
    """The API server refuses the deletion of any Deployment in the namespace."""
    namespace = bench.kubectl.namespace
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["deployments"]}
    validation = {"expression": f"request.namespace != '{namespace}'", "message": "no Deployment may go"}
    specs = {
        "ValidatingAdmissionPolicy": {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
        "ValidatingAdmissionPolicyBinding": {"policyName": namespace, "validationActions": ["Deny"]},
    }
    for kind, spec in specs.items():
        head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": namespace}}
        assert bench.kubectl.create({**head, "spec": spec}) == ""
    try:
        attempt = ("delete", "deployment", name, "--dry-run=server")
        eventually(lambda: "no Deployment may go" in bench.kubectl(*attempt).stderr)
        yield
    finally:
        for kind in specs:
            bench.kubectl("delete", kind, namespace)


def _finish(bench: Bench, name: str) -> None:
    """The end as another operator would have written it."""
    status = bench.status(name) | {"state": "Complete"}
    for condition in status["conditions"]:
        if condition["type"] in ("SuccessCriteriaMet", "Complete", "Finished"):
            condition["status"] = "True"
    patch = json.dumps({"status": status})
    done = bench.kubectl("patch", "tg", name, "--subresource", "status", "--type", "merge", "--patch", patch)
    assert done.returncode == 0, done.stderr


def _refusals(bench: Bench, name: str) -> int:
    return bench.operator.log.count(f'TaskGroup "{name}" in namespace "{bench.kubectl.namespace}" changed')


def _conditions(bench: Bench, name: str) -> str:
    """Without the spec, which Python's JSON reader would refuse here."""
    return bench.kubectl("get", "tg", name, "--output", "jsonpath={.status.conditions}").stdout


def _create_nested(bench: Bench, name: str, levels: int) -> None:
    assert _create_with(bench, name, "[" * levels + "]" * levels) == ""


def _create_with(bench: Bench, name: str, item: str) -> str:
    """The item comes as text: Python's JSON writer has limits of its own. Returns kubectl's standard error."""
    manifest = {
        "apiVersion": "taskgroups.dev/v1alpha1",
        "kind": "TaskGroup",
        "metadata": {"name": name},
        "spec": {
            "items": ["ITEM"],
            "template": {"task": "demo.noop", "args": ["$(item)"]},
            "workers": {"image": "localhost/none:1", "app": "demo"},
            "broker": {"secretKeyRef": {"name": "redis"}},
        },
    }
    path = bench.folder / f"{name}.json"
    path.write_text(json.dumps(manifest).replace('"ITEM"', item))
    where = f"/apis/taskgroups.dev/v1alpha1/namespaces/{bench.kubectl.namespace}/taskgroups"
    return bench.kubectl("create", "--raw", where, "--filename", str(path)).stderr[-500:]
