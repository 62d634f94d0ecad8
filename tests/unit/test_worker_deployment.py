"""The Deployment of a group's workers, as a value: who owns it, how the worker is started, what it may do."""

import json
from typing import Any

import pytest

from support.odd_values import NEEDED
from support.worker_manifest import META, QUEUE, backend, build, container, pod, setting
from taskgroup.cluster.children import child_name


def expanded(text: str, **variables: str) -> str:
    """As the kubelet does it: $$ is a dollar sign, $(NAME) the variable."""
    parts = text.split("$$")
    for name, value in variables.items():
        parts = [part.replace(f"$({name})", value) for part in parts]
    return "$".join(parts)


def options(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    value = expanded(setting(manifest, name), POD_NAME="pod-1")
    assert value.startswith("(dict)")
    parsed: dict[str, Any] = json.loads(value.removeprefix("(dict)"))
    return parsed


def test_it_is_owned_found_and_named_by_the_group() -> None:
    manifest = build()

    owner = {"apiVersion": "taskgroups.dev/v1alpha1", "kind": "TaskGroup", "name": META.name, "uid": META.uid}
    assert manifest["metadata"]["name"] == "thumbnails-0f0e0d0c"
    assert manifest["metadata"]["ownerReferences"] == [owner | {"controller": True}]
    assert manifest["spec"]["selector"] == {"matchLabels": {"taskgroups.dev/uid": META.uid}}
    assert manifest["spec"]["template"]["metadata"]["labels"] == {
        "taskgroups.dev/uid": META.uid,
        "taskgroups.dev/name": META.name,
        "app.kubernetes.io/managed-by": "taskgroup-operator",
    }
    assert manifest["spec"]["template"]["metadata"]["annotations"] == {"taskgroups.dev/backend-hash": "abc"}
    assert manifest["spec"]["replicas"] == 3


def test_a_child_name_is_short_and_valid_when_cut_at_a_dash() -> None:
    name = "a" * 39 + "-bcdef"

    assert child_name(name, META.uid) == "a" * 39 + "-0f0e0d0c"


def test_two_manifests_share_no_part() -> None:
    first, second = build(), build()

    container(first)["args"].append("changed")
    first["spec"]["template"]["metadata"]["labels"]["changed"] = "yes"

    assert second == build()
    assert "changed" not in first["metadata"]["labels"]
    assert "changed" not in first["spec"]["selector"]["matchLabels"]


def test_the_pods_are_restricted_and_have_no_token() -> None:
    manifest = build()

    assert pod(manifest)["automountServiceAccountToken"] is False
    assert pod(manifest)["enableServiceLinks"] is False
    assert pod(manifest)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(manifest)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "serviceAccountName" not in pod(manifest)
    assert "livenessProbe" not in container(manifest)


def test_choices_within_restricted_are_taken_over() -> None:
    context = {"runAsUser": 1000, "fsGroup": 2000, "supplementalGroups": [3000], "readOnlyRootFilesystem": False}

    manifest = build(securityContext=context)

    assert pod(manifest)["securityContext"]["runAsUser"] == 1000
    assert pod(manifest)["securityContext"]["fsGroup"] == 2000
    assert pod(manifest)["securityContext"]["supplementalGroups"] == [3000]
    assert container(manifest)["securityContext"]["readOnlyRootFilesystem"] is False
    assert container(manifest)["securityContext"]["runAsNonRoot"] is True


def test_the_worker_serves_the_group_s_queue_under_the_pod_s_name() -> None:
    args = container(build(concurrency=8, pool="threads"))["args"]

    assert args[:7] == ["-A", "shop.celery", "worker", "-Q", QUEUE, "-n", "celery@$(POD_NAME)"]
    assert args[7:11] == ["-c", "8", "-P", "threads"]


def test_celery_is_started_by_a_program_that_compiles() -> None:
    python, flag, program = container(build())["command"]

    assert (python, flag) == ("python3", "-c")
    compile(program, "boot", "exec")
    assert program.rstrip().endswith("main())")


def test_urls_come_from_the_secrets_only() -> None:
    manifest = build(broker=backend("one"), results=backend("two"))

    env = {variable["name"]: variable for variable in container(manifest)["env"]}
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        assert env[name]["valueFrom"] == {"secretKeyRef": {"name": "one", "key": "url"}}
    assert env["CELERY_RESULT_BACKEND"]["valueFrom"] == {"secretKeyRef": {"name": "two", "key": "url"}}
    assert env["POD_NAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_the_user_s_variables_come_first_and_never_replace_ours() -> None:
    variables = [
        {"name": "MODE", "value": "old"},
        {"name": "CELERY_BROKER_URL", "value": "redis://elsewhere"},
        {"name": "REMAP_SIGTERM", "value": "SIGQUIT"},
        {"name": "MODE", "value": "new"},
    ]

    env = container(build(env=variables))["env"]

    names = [variable["name"] for variable in env]
    assert env[0] == {"name": "MODE", "value": "new"}
    assert len(names) == len(set(names))
    assert "value" not in env[names.index("CELERY_BROKER_URL")]
    assert env[names.index("REMAP_SIGTERM")]["value"] == ""


def test_each_pod_has_unacked_keys_of_its_own() -> None:
    assert options(build(), "broker_transport_options") == {
        "socket_connect_timeout": 5,
        "visibility_timeout": 2_592_000,
        "unacked_key": "taskgroup:0f0e:unacked:pod-1",
    }


def test_listed_options_reach_broker_and_result_backend() -> None:
    listed: dict[str, Any] = {"globalKeyPrefix": "me:", "socketTimeoutSeconds": 7, "socketKeepalive": False}

    manifest = build(broker=backend(**listed), results=backend(**listed, healthCheckIntervalSeconds=9))

    broker = options(manifest, "broker_transport_options")
    assert (broker["global_keyprefix"], broker["socket_timeout"], broker["socket_keepalive"]) == ("me:", 7, False)
    assert broker["visibility_timeout"] == 2_592_000
    assert options(manifest, "result_backend_transport_options") == {"global_keyprefix": "me:"}
    assert setting(manifest, "redis_socket_timeout") == "(float)7"
    assert setting(manifest, "redis_socket_keepalive") == "(bool)0"
    assert setting(manifest, "redis_backend_health_check_interval") == "(int)9"


def test_a_worker_never_waits_long_for_a_connection() -> None:
    """Without a limit it is the kernel's, two minutes: seen when Redis was restarted behind its Service."""
    usual, patient = build(), build(backend(socketConnectTimeoutSeconds=30), backend(socketConnectTimeoutSeconds=30))

    for manifest, seconds in ((usual, 5), (patient, 30)):
        assert options(manifest, "broker_transport_options")["socket_connect_timeout"] == seconds
        assert setting(manifest, "redis_socket_connect_timeout") == f"(float){seconds}"


@pytest.mark.parametrize("prefix", ["$(POD_NAME):", "$$(POD_NAME)", "a$", "$(HOME)$$$(X)"])
def test_dollar_signs_of_the_user_stay_what_they_are(prefix: str) -> None:
    manifest = build(broker=backend(globalKeyPrefix=prefix))

    assert options(manifest, "broker_transport_options")["global_keyprefix"] == prefix
    assert options(manifest, "broker_transport_options")["unacked_key"].endswith(":pod-1")


def test_results_stay_long_enough() -> None:
    assert setting(build(), "result_expires") == "(int)3600"


def test_a_rollout_never_has_more_pods_than_wanted() -> None:
    spec = build()["spec"]

    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}
    assert spec["minReadySeconds"] > 0
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 90


def test_every_setting_of_the_command_line_is_tried_on_an_app_that_says_otherwise() -> None:
    settings = {part.partition("=")[0] for part in container(build())["args"] if "=" in part and part[0] != "-"}

    assert settings <= NEEDED.keys()
