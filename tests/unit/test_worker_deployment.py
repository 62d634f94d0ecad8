"""The Deployment of a group's workers, as a value."""

import json
from typing import Any

import pytest

from support.odd_values import NEEDED
from taskgroup.api.spec import Backend, SecretKeyRef, TransportOptions
from taskgroup.api.workers import Workers
from taskgroup.cluster.children import child_name
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec

META = Meta(uid="0f0e0d0c-1111-2222-3333-444455556666", name="thumbnails", namespace="shop", generation=1)
QUEUE = "taskgroup-0f0e"
OPTIONS = {"unacked_key": "taskgroup:0f0e:unacked:$(POD_NAME)"}


def backend(name: str = "redis", **options: Any) -> Backend:
    return Backend(
        secret_key_ref=SecretKeyRef(name=name, key="url"), transport_options=TransportOptions.model_validate(options)
    )


def build(broker: Backend | None = None, results: Backend | None = None, **workers: Any) -> dict[str, Any]:
    pool_spec = PoolSpec(
        workers=Workers.model_validate({"image": "shop:1", "app": "shop.celery", **workers}),
        broker=broker or backend(),
        results=results or backend(),
        queue=QUEUE,
        unacked_options=OPTIONS,
        grace_seconds=90,
        backend_hash="abc",
        result_expires_seconds=3600,
    )
    return worker_deployment(META, pool_spec, 3)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod(manifest)["containers"]
    assert len(containers) == 1
    return containers[0]


def setting(manifest: dict[str, Any], name: str) -> str:
    (value,) = (part.split("=", 1)[1] for part in container(manifest)["args"] if part.startswith(f"{name}="))
    return str(value)


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


def test_tmp_can_be_written_although_the_image_cannot() -> None:
    manifest = build()

    assert pod(manifest)["volumes"] == [{"name": "taskgroup-tmp", "emptyDir": {}}]
    assert container(manifest)["volumeMounts"] == [{"name": "taskgroup-tmp", "mountPath": "/tmp"}]


def test_a_volume_of_the_user_s_own_at_tmp_is_used_instead() -> None:
    manifest = build(volumes=[{"name": "big", "emptyDir": {}}], volumeMounts=[{"name": "big", "mountPath": "/tmp/"}])

    assert pod(manifest)["volumes"] == [{"name": "big", "emptyDir": {}}]
    assert container(manifest)["volumeMounts"] == [{"name": "big", "mountPath": "/tmp/"}]


def test_pod_settings_are_handed_on_as_they_are() -> None:
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity: dict[str, Any] = {"nodeAffinity": {required: {"nodeSelectorTerms": []}}}
    manifest = build(
        imagePullPolicy="Never",
        imagePullSecrets=[{"name": "registry"}],
        resources={"requests": {"cpu": "50m"}},
        envFrom=[{"secretRef": {"name": "more"}}],
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "pictures", "readOnly": True}}],
        nodeSelector={"disk": "fast"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        affinity=affinity,
        serviceAccountName="plain",
    )

    assert container(manifest)["imagePullPolicy"] == "Never"
    assert container(manifest)["resources"] == {"requests": {"cpu": "50m"}}
    assert container(manifest)["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert pod(manifest)["imagePullSecrets"] == [{"name": "registry"}]
    assert pod(manifest)["volumes"][0]["persistentVolumeClaim"] == {"claimName": "pictures", "readOnly": True}
    assert pod(manifest)["nodeSelector"] == {"disk": "fast"}
    assert pod(manifest)["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert pod(manifest)["affinity"] == affinity
    assert pod(manifest)["serviceAccountName"] == "plain"


def test_a_rollout_never_has_more_pods_than_wanted() -> None:
    spec = build()["spec"]

    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}
    assert spec["minReadySeconds"] > 0
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 90


SIDE = {"name": "fetch", "image": "fetch:1", "command": ["sh"], "env": [{"name": "A", "value": "1"}]}


def test_containers_beside_the_worker_are_as_restricted_as_it_is() -> None:
    manifest = build(initContainers=[SIDE], sidecars=[{**SIDE, "name": "proxy"}])

    assert container(manifest)["name"] == "worker"
    for side in pod(manifest)["initContainers"]:
        assert side["securityContext"] == container(manifest)["securityContext"]
        assert (side["image"], side["command"], side["env"]) == ("fetch:1", ["sh"], SIDE["env"])


def test_sidecars_start_after_the_init_containers_and_never_keep_a_pod_alive() -> None:
    manifest = build(sidecars=[{**SIDE, "name": "proxy"}], initContainers=[SIDE, {**SIDE, "name": "second"}])

    policies = [(side["name"], side.get("restartPolicy")) for side in pod(manifest)["initContainers"]]
    assert policies == [("fetch", None), ("second", None), ("proxy", "Always")]


def test_each_container_has_a_tmp_of_its_own() -> None:
    own = [{"name": "data", "mountPath": "/tmp"}]
    sides = [SIDE, {**SIDE, "name": "second", "volumeMounts": own}]
    manifest = build(initContainers=sides, volumes=[{"name": "data", "emptyDir": {}}])

    first, second = pod(manifest)["initContainers"]
    assert first["volumeMounts"] == [{"name": "taskgroup-tmp-fetch", "mountPath": "/tmp"}]
    assert second["volumeMounts"] == own
    names = [volume["name"] for volume in pod(manifest)["volumes"]]
    assert names == ["data", "taskgroup-tmp", "taskgroup-tmp-fetch"]


def test_a_pod_without_further_containers_has_no_such_field() -> None:
    assert "initContainers" not in pod(build())


def test_labels_and_annotations_of_the_user_never_replace_the_operator_s() -> None:
    manifest = build(
        podLabels={"team": "images", "taskgroups.dev/uid": "other"},
        podAnnotations={"note": "a", "taskgroups.dev/backend-hash": "other"},
    )

    metadata = manifest["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "images"
    assert metadata["labels"]["taskgroups.dev/uid"] == META.uid
    assert metadata["annotations"] == {"note": "a", "taskgroups.dev/backend-hash": "abc"}
    assert manifest["spec"]["selector"] == {"matchLabels": {"taskgroups.dev/uid": META.uid}}


def test_where_pods_run_and_how_urgent_they_are_is_handed_on() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    chosen = {**spread, "labelSelector": {"matchLabels": {"team": "images"}}}
    manifest = build(priorityClassName="batch", runtimeClassName="gvisor", topologySpreadConstraints=[spread, chosen])

    assert pod(manifest)["priorityClassName"] == "batch"
    assert pod(manifest)["runtimeClassName"] == "gvisor"
    own = {**spread, "labelSelector": {"matchLabels": {"taskgroups.dev/uid": META.uid}}}
    assert pod(manifest)["topologySpreadConstraints"] == [own, chosen]


def test_certificates_are_mounted_where_the_settings_name_them() -> None:
    secure = Backend.model_validate(
        {
            "secretKeyRef": {"name": "queue"},
            "caSecretKeyRef": {"name": "authority", "key": "root.pem"},
            "clientCertificateSecretRef": {"name": "client"},
        }
    )
    manifest = build(secure, backend())
    (volume,) = (volume for volume in pod(manifest)["volumes"] if "projected" in volume)
    (mount,) = (mount for mount in container(manifest)["volumeMounts"] if mount["name"] == volume["name"])
    options = json.loads(setting(manifest, "broker_use_ssl").removeprefix("(dict)"))
    files = {
        f"{mount['mountPath']}/{item['path']}": (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }

    assert mount["readOnly"]
    assert files[options["ssl_ca_certs"]] == ("authority", "root.pem")
    assert files[options["ssl_certfile"]] == ("client", "tls.crt")
    assert files[options["ssl_keyfile"]] == ("client", "tls.key")
    assert options["ssl_cert_reqs"] == "required"
    assert "redis_backend_use_ssl" not in "".join(container(manifest)["args"])


def test_every_setting_of_the_command_line_is_tried_on_an_app_that_says_otherwise() -> None:
    settings = {part.partition("=")[0] for part in container(build())["args"] if "=" in part and part[0] != "-"}

    assert settings <= NEEDED.keys()
