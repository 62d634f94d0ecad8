"""Items from outside: when a pod is started for them, what it is made of, and what is told while they are not known."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.builders import NOW, meta, observed, only, said, spec
from taskgroup.api.backend import Backend
from taskgroup.api.items_from import ItemsFrom
from taskgroup.api.names import ConditionType
from taskgroup.cluster.item_places import place_of, request_of, source_of
from taskgroup.cluster.item_readers import PATIENCE_SECONDS, hindrance_of, reader_pod
from taskgroup.core.groups.plan import Plan, ReadItems, StopReading
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.reading import LOOK_SECONDS, Reading, trouble

BROKER = Backend.model_validate({"secretKeyRef": {"name": "redis"}})
LATER = datetime(2026, 1, 1, tzinfo=UTC)


def look(reading: Reading, **fields: Any) -> Plan:
    """At a group whose items nobody knows."""
    seen = observed(work=None, reading=reading, invalid=trouble(reading))
    return reconcile(observed(spec(**fields), work=None, reading=reading, invalid=seen.invalid), NOW)


def test_a_pod_is_started_once() -> None:
    assert len(only(look(Reading()), ReadItems)) == 1
    waiting = look(Reading(pods=1))
    assert waiting.actions == ()
    assert waiting.wake_after == LOOK_SECONDS
    assert said(waiting.status, ConditionType.CONFIGURATION_VALID)[0] == "True"
    assert waiting.status.start_time is None
    assert waiting.status.total is None


def test_a_suspended_group_starts_none() -> None:
    assert look(Reading(), suspend=True).actions == ()


def test_after_an_error_the_pod_goes_and_another_one_comes_in_time() -> None:
    failed = look(Reading(pods=1, error="It is gone.", is_due=False))
    assert [type(action) for action in failed.actions] == [StopReading]
    assert said(failed.status, ConditionType.CONFIGURATION_VALID) == ("False", "SourceUnreadable")

    assert look(Reading(error="It is gone.", is_due=False)).actions == ()
    assert len(only(look(Reading(error="It is gone.", is_due=True)), ReadItems)) == 1


def test_a_pod_that_left_nothing_goes() -> None:
    assert [type(action) for action in look(Reading(pods=1, has_ended=True)).actions] == [StopReading]


def test_once_the_items_are_known_the_pod_goes_and_the_group_starts() -> None:
    plan = reconcile(observed(reading=Reading(pods=1, is_read=True)), NOW)

    assert [type(action) for action in plan.actions] == [StopReading]
    assert plan.status.start_time is not None


def pod_of(source: dict[str, Any], **workers: Any) -> dict[str, Any]:
    wanted = spec(itemsFrom=source, template={"task": "a"}, workers=workers)
    return reader_pod(meta(), wanted, BROKER, {"place": "x"}, "operator:1")


def test_the_pod_has_no_token_and_may_nothing() -> None:
    pod = pod_of({"url": "https://files.example/a.csv"}, serviceAccountName="files", nodeSelector={"disk": "fast"})

    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["nodeSelector"]) == ("files", {"disk": "fast"})
    assert "taskgroups.dev/uid" not in pod["metadata"]["labels"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == meta().uid


@pytest.mark.parametrize(
    ("source", "volume", "place"),
    [
        ({"url": "https://a.example/b.csv.gz?token=1#x"}, None, ("https://a.example/b.csv.gz?token=1#x", ".csv.gz")),
        (
            {"configMap": {"name": "m", "key": "a.json"}},
            {"configMap": {"name": "m", "items": [{"key": "a.json", "path": "items"}]}},
            ("/source/items", "a.json"),
        ),
        (
            {"secret": {"name": "s", "key": "a.json"}},
            {"secret": {"secretName": "s", "items": [{"key": "a.json", "path": "items"}]}},
            ("/source/items", "a.json"),
        ),
        (
            {"persistentVolumeClaim": {"claimName": "c", "path": "in/a.txt"}},
            {"persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
            ("/source/in/a.txt", "in/a.txt"),
        ),
        ({"s3": {"endpoint": "http://s3", "bucket": "b", "key": "in/a.txt"}}, None, ("s3://b/in/a.txt", "in/a.txt")),
    ],
)
def test_it_mounts_its_source_and_nothing_else(
    source: dict[str, Any], volume: dict[str, Any] | None, place: tuple[str, str]
) -> None:
    volumes = pod_of(source)["spec"]["volumes"]

    assert volumes[:-1] == ([{"name": "source"} | volume] if volume else [])
    found, name = place_of(ItemsFrom.model_validate(source))
    assert found == place[0]
    assert name.endswith(place[1])


def test_it_finds_the_brokers_certificates() -> None:
    broker = Backend.model_validate({"secretKeyRef": {"name": "redis"}, "caSecretKeyRef": {"name": "authority"}})
    wanted = spec(itemsFrom={"url": "https://files.example/a.csv"}, template={"task": "a"})

    pod = reader_pod(meta(), wanted, broker, {}, "operator:1")

    (container,) = pod["spec"]["containers"]
    assert '"certificates":"/etc/taskgroup/certificates/broker"' in container["env"][1]["value"]
    assert container["volumeMounts"][0]["mountPath"] == "/etc/taskgroup/certificates/broker"


S3 = {"endpoint": "https://s3.example", "bucket": "lists", "key": "in/a.csv"}


def test_credentials_and_the_authority_of_a_server_reach_the_pod_alone() -> None:
    source = {
        "s3": S3 | {"credentialsSecretRef": {"name": "s3-user"}},
        "caSecretKeyRef": {"name": "authority", "key": "root.pem"},
    }

    pod, request = pod_of(source), request_of(ItemsFrom.model_validate(source))

    (container,) = pod["spec"]["containers"]
    references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in container["env"][2:]}
    assert {(name, one["name"], one["key"], one["optional"]) for name, one in references.items()} == {
        ("AWS_ACCESS_KEY_ID", "s3-user", "AWS_ACCESS_KEY_ID", False),
        ("AWS_SECRET_ACCESS_KEY", "s3-user", "AWS_SECRET_ACCESS_KEY", False),
        ("AWS_SESSION_TOKEN", "s3-user", "AWS_SESSION_TOKEN", True),
    }
    items = [{"key": "root.pem", "path": "ca.crt"}]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert volumes["authority"]["secret"] == {"secretName": "authority", "items": items}
    assert container["volumeMounts"][0]["mountPath"] + "/ca.crt" == request["authority"]
    assert request["s3"] == S3 | {"region": "us-east-1"}


def test_an_anonymous_reader_has_no_credentials() -> None:
    (container,) = pod_of({"s3": S3})["spec"]["containers"]

    assert [entry["name"] for entry in container["env"]] == ["CELERY_BROKER_URL", "TASKGROUP_ITEMS"]


def test_another_source_is_told_from_this_one() -> None:
    one, other = ({"url": f"https://a.example/{name}.csv"} for name in "ab")

    assert source_of(ItemsFrom.model_validate(one)) == source_of(ItemsFrom.model_validate(one))
    assert source_of(ItemsFrom.model_validate(one)) != source_of(ItemsFrom.model_validate(other))


def test_the_operator_does_not_load_the_client_of_s3() -> None:
    text = "import sys, taskgroup.command_line; sys.exit('obstore' in sys.modules)"
    subprocess.run([sys.executable, "-c", text], check=True)


def pod_in(status: dict[str, Any], age: float = PATIENCE_SECONDS) -> dict[str, Any]:
    created = (LATER - timedelta(seconds=age)).isoformat()
    return {"metadata": {"name": "p", "creationTimestamp": created}, "status": status}


WAITING = {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}
UNSCHEDULED = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "message": "0/3 nodes are available"}],
}
FAILING = {
    "containerStatuses": [
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "Error", "message": "Connection refused"}},
        }
    ]
}

SILENT = {
    "containerStatuses": [
        {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}
    ]
}
TAKEN_BY_NO_KUBELET = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (WAITING, "The pod p does not start (ErrImagePull): no such image."),
        (UNSCHEDULED, "The pod p is not scheduled: 0/3 nodes are available"),
        (FAILING, "The pod p fails: Connection refused"),
        (SILENT, "The pod p fails: its container ended, as kubectl logs may tell."),
        (TAKEN_BY_NO_KUBELET, "The pod p does not start: its node has not said why."),
        ({"phase": "Pending"}, "The pod p is not scheduled: the scheduler has not said why."),
        ({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}, ""),
        ({"phase": "Succeeded"}, ""),
    ],
)
def test_a_pod_that_does_not_run_is_told_after_a_while(status: dict[str, Any], said: str) -> None:
    assert hindrance_of(pod_in(status), LATER) == said
    assert hindrance_of(pod_in(status, PATIENCE_SECONDS - 1), LATER) == ""
