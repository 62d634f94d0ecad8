"""What the chart adds to a release for those who ask: volumes, objects of one's own, an exporter beside Redis."""

from typing import Any

from support.helm import FULLNAME, NAMESPACE, Manifest, of_kind, one, pod_template, render

WITHOUT_CRDS: dict[str, Any] = {"crds": {"install": False}}
REDIS = f"{FULLNAME}-redis"


def exporter(**values: Any) -> Manifest:
    """The container of the exporter."""
    manifests = render({**WITHOUT_CRDS, "redis": {"exporter": {"enabled": True, **values}}})
    redis, found = pod_template(one(manifests, "StatefulSet", REDIS))["spec"]["containers"]
    # kubectl exec takes the first one.
    assert (redis["name"], found["name"]) == ("redis", "exporter")
    container: Manifest = found
    return container


def test_volumes_of_ones_own_are_in_the_operators_pod_alone() -> None:
    volume, mount = {"name": "ca", "configMap": {"name": "ca"}}, {"name": "ca", "mountPath": "/ca"}
    manifests = render({**WITHOUT_CRDS, "extraVolumes": [volume], "extraVolumeMounts": [mount]})
    with_it = [m["kind"] for m in of_kind(manifests, "Deployment", "StatefulSet", "Job", "Pod") if "/ca" in str(m)]
    assert with_it == ["Deployment"]
    spec = pod_template(one(manifests, "Deployment", FULLNAME))["spec"]
    assert volume in spec["volumes"]
    assert mount in spec["containers"][0]["volumeMounts"]


def test_objects_of_ones_own_are_rendered_with_the_release() -> None:
    as_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}}
    as_text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "taskgroup.fullname" . }}-text}
data: {namespace: {{ .Release.Namespace | quote }}}
"""
    manifests = render({**WITHOUT_CRDS, "redis": {"enabled": False}, "extraObjects": [as_map, as_text]})
    found = {m["metadata"]["name"]: m.get("data") for m in of_kind(manifests, "ConfigMap")}
    assert found == {"demo-map": None, f"{FULLNAME}-text": {"namespace": NAMESPACE}}


def test_the_exporter_asks_the_redis_beside_it_with_the_password_of_the_secret() -> None:
    secret = {"secretKeyRef": {"name": REDIS, "key": "password"}}
    assert exporter()["env"] == [
        {"name": "REDIS_ADDR", "value": "redis://127.0.0.1:6379"},
        {"name": "REDIS_PASSWORD", "valueFrom": secret},
    ]


def test_redis_is_ready_whatever_the_exporter_does() -> None:
    assert "readinessProbe" not in exporter()
    assert exporter()["livenessProbe"]["httpGet"] == {"path": "/health", "port": "metrics"}


def test_the_exporter_is_made_as_the_values_say() -> None:
    image = {"repository": "registry.example.com/exporter", "digest": "sha256:" + "0" * 64, "pullPolicy": "Always"}
    container = exporter(image=image, resources={"limits": {"memory": "1Gi"}})
    assert container["image"] == "registry.example.com/exporter@sha256:" + "0" * 64
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"]["limits"] == {"memory": "1Gi"}


def test_without_the_exporter_redis_is_alone() -> None:
    manifests = render(WITHOUT_CRDS)
    assert len(pod_template(one(manifests, "StatefulSet", REDIS))["spec"]["containers"]) == 1
    assert not [service for service in of_kind(manifests, "Service") if "9121" in str(service)]
