"""What the pods of a group's workers take from the spec: volumes, further containers, labels, placement."""

import json
from typing import Any

from support.worker_manifest import META, backend, build, container, pod, setting
from taskgroup.api.backend import Backend

SIDE = {"name": "fetch", "image": "fetch:1", "command": ["sh"], "env": [{"name": "A", "value": "1"}]}


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
