"""What users and the operator see of a TaskGroup on the API server: defaults, tables, limits, the status apart."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.crd.objects import ABSENT, BACKEND, LEAST, STATUS, TIME, replacement, task_group
from support.crd.server import COLLECTION, TaskGroups, shared_task_groups
from support.wait import eventually

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
DISCOVERY = "/apis/taskgroups.dev/v1alpha1"


@pytest.fixture(scope="module")
def groups() -> TaskGroups:
    return shared_task_groups()


@pytest.fixture
def name(groups: TaskGroups) -> Iterator[str]:
    """Name of an object that the test may store."""
    name = f"server-{uuid.uuid4().hex[:12]}"
    yield name
    groups.delete(name)


def stored(groups: TaskGroups, name: str, status: dict[str, Any] | None = None) -> dict[str, Any]:
    """A small TaskGroup on the server, with this status."""
    answer = groups.create(task_group(LEAST, name=name), keep=True).body
    if status:
        answer = groups.replace_status({**answer, "status": status}, keep=True).body
    return answer


def test_scalars_get_defaults_and_absent_parts_stay_absent(groups: TaskGroups) -> None:
    """A part that nobody wrote must not appear: it would have no owner and would differ from what was applied."""
    answer = groups.create(task_group(LEAST)).body
    assert answer["spec"] == {
        **LEAST,
        "suspend": False,
        "suspendMode": "Drain",
        "cancel": False,
        "onDeadline": "Fail",
        "failureTracebacks": True,
        "onUnknownTask": "Wait",
        "chunkSize": 1,
        "chunkResult": "Flatten",
        "workers": {**LEAST["workers"], "concurrency": 4, "maxReplicas": 1, "pool": "prefork"},
    }


def test_parts_that_are_written_get_their_defaults(groups: TaskGroups) -> None:
    edits = {
        "spec.items": ABSENT,
        "spec.sequence": {"count": 3},
        "spec.template.options": {},
        "spec.broker": {"secretKeyRef": {"name": "broker"}},
        "spec.workers.securityContext": {},
    }

    answer = groups.create(task_group(LEAST, edits)).body
    spec = answer["spec"]
    assert spec["sequence"] == {"start": 0, "count": 3, "step": 1}
    assert spec["template"]["options"] == {"priority": 0, "ignoreResult": False, "immutable": False}
    assert spec["broker"] == {"secretKeyRef": {"name": "broker", "key": "url"}}
    assert spec["workers"]["securityContext"] == {"readOnlyRootFilesystem": True}


def test_an_object_in_s3_has_a_region_and_an_authority_a_key(groups: TaskGroups) -> None:
    s3 = {"endpoint": "https://s3.example", "bucket": "lists", "key": "a.csv"}
    source = {"s3": s3, "caSecretKeyRef": {"name": "authority"}}

    answer = groups.create(task_group(LEAST, {"spec.items": ABSENT, "spec.itemsFrom": source})).body

    assert answer["spec"]["itemsFrom"] == {
        "s3": {**s3, "region": "us-east-1"},
        "caSecretKeyRef": {"name": "authority", "key": "ca.crt"},
    }


def test_a_default_is_not_a_change_of_an_immutable_part(groups: TaskGroups, name: str) -> None:
    """The manifest without the default applied again must not read as another broker."""
    edits = {"spec.broker": {"secretKeyRef": {"name": "broker"}}}
    first = groups.create(task_group(LEAST, edits, name=name), keep=True).body

    body = replacement(LEAST, edits, first)

    assert groups.replace(body, keep=True).message == ""


@pytest.mark.parametrize("before", [BACKEND, ABSENT], ids=["removed", "added"])
def test_a_broker_is_neither_added_nor_removed(groups: TaskGroups, name: str, before: Any) -> None:
    """A rule on the field itself would not see it go."""
    with_broker = {"spec.broker": BACKEND}
    edits, later = ({}, with_broker) if before is ABSENT else (with_broker, {})
    first = groups.create(task_group(LEAST, edits, name=name), keep=True).body

    body = replacement(LEAST, later, first)

    assert "broker cannot change" in groups.replace(body).message


def test_ten_thousand_items_are_stored(groups: TaskGroups, name: str) -> None:
    items = [{"path": f"pictures/{number:05}.jpg"} for number in range(10_000)]

    answer = groups.create(task_group(LEAST, {"spec.items": items}, name=name), keep=True).body
    assert answer["spec"]["items"] == items


def test_ten_thousand_tasks_are_stored(groups: TaskGroups, name: str) -> None:
    """The rules walk the tasks, so their cost grows with them."""
    tasks = [
        {"task": "images.resize", "args": [number], "options": {"timeLimitSeconds": 5}} for number in range(10_000)
    ]
    edits = {"spec.items": ABSENT, "spec.template": ABSENT, "spec.tasks": tasks}

    answer = groups.create(task_group(LEAST, edits, name=name), keep=True).body
    assert len(answer["spec"]["tasks"]) == 10_000


def test_an_unknown_field_is_refused_or_dropped(groups: TaskGroups) -> None:
    """`kubectl apply` asks for the first; a client that asks for nothing gets the second."""
    body = task_group(LEAST, {"spec.paralellism": 5})

    strict, lax = groups.create(body), groups.create(body, validation="Ignore")

    assert 'unknown field "spec.paralellism"' in strict.message
    assert "paralellism" not in lax.body["spec"]


def test_the_status_is_written_apart(groups: TaskGroups, name: str) -> None:
    """A user's apply never touches the status, and the operator's status write never touches the spec."""
    first = stored(groups, name, {"state": "Running"})

    edited = {**first, "spec": {**first["spec"], "parallelism": 5}, "status": {"state": "Failed"}}
    by_user = groups.replace(edited, keep=True).body
    reported = {**by_user, "spec": {**first["spec"], "parallelism": 9}, "status": {"state": "Complete"}}
    by_operator = groups.replace_status(reported, keep=True).body

    assert by_user["status"] == {"state": "Running"}
    assert by_user["metadata"]["generation"] == 2
    assert by_operator["spec"]["parallelism"] == 5
    assert by_operator["metadata"]["generation"] == 2


def test_discovery_names_the_resource(groups: TaskGroups) -> None:
    """`kubectl get tg` and `kubectl get all` resolve their words by this."""
    resources = {entry["name"]: entry for entry in groups.get(DISCOVERY)["resources"]}

    assert resources["taskgroups"]["shortNames"] == ["tg"]
    assert resources["taskgroups"]["categories"] == ["all", "taskgroups"]
    assert resources["taskgroups"]["namespaced"]
    assert "taskgroups/status" in resources


def test_the_table_shows_how_far_a_group_is(groups: TaskGroups, name: str) -> None:
    stored(groups, name, STATUS)

    table = groups.get(f"{COLLECTION}/{name}", accept=TABLE)

    columns = [column["name"] for column in table["columnDefinitions"]]
    narrow = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    row = dict(zip(columns, table["rows"][0]["cells"], strict=True))
    assert narrow == ["Name", "Progress", "Succeeded", "Failed", "Workers", "State", "Age"]
    assert columns[len(narrow) :] == ["Active", "Pending", "Rate", "Estimated End", "Message"]
    assert row.pop("Age")
    assert row == {
        "Name": name,
        "Progress": "4/6",
        "Succeeded": 1,
        "Failed": 2,
        "Workers": 1,
        "State": "Running",
        "Active": 1,
        "Pending": 1,
        "Rate": "7.5/min",
        "Estimated End": TIME,
        "Message": "4 of 6 items have ended.",
    }


def test_groups_are_selected_by_state(groups: TaskGroups, name: str) -> None:
    stored(groups, name, {"state": "Running"})

    def names(state: str) -> set[str]:
        page = groups.get(COLLECTION, fieldSelector=f"status.state={state}")
        return {entry["metadata"]["name"] for entry in page["items"]}

    eventually(lambda: name in names("Running"))
    assert name not in names("Failed")


def test_a_fraction_without_quotes_is_refused_in_one_line(groups: TaskGroups) -> None:
    """A Pod takes `cpu: 0.5`; a schema of Kubernetes has no type for text and floats together."""
    quoted = groups.create(task_group(LEAST, {"spec.workers.resources": {"requests": {"cpu": "0.05"}}}))
    bare = groups.create(task_group(LEAST, {"spec.workers.resources": {"requests": {"cpu": 0.05}}}))

    assert quoted.accepted, quoted.message
    assert not bare.accepted
    assert bare.message.count("spec.workers.resources.requests.cpu: ") == 1
    assert 'in body must be of type integer,string: "number"' in bare.message
