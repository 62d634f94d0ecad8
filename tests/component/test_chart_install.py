"""The chart on a real API server: what it makes is accepted under the strictest settings, what should last lasts."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from support.helm import CHART, FULLNAME, RELEASE, Manifest, helm, of_kind, pod_template, render
from support.kubectl import Kubectl, kubeconfig, new_namespace

SECRET = f"{FULLNAME}-redis"
VALUES: dict[str, Any] = {"crds": {"install": False}}
"""The definitions are the whole cluster's; other tests on the same API server have their own."""


@pytest.fixture
def namespace() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        yield kubectl


@pytest.fixture
def other_namespace() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        yield kubectl


def password(kubectl: Kubectl) -> str | None:
    """Password in the Redis Secret; None without a Secret."""
    data = kubectl("get", "secret", SECRET, "--output", "jsonpath={.data.password}", "--ignore-not-found").stdout
    return base64.b64decode(data).decode() or None


def as_pod(manifest: Manifest) -> Manifest:
    """The pod of a workload, as its controller would create it, with the API server's default for a volume claim."""
    pod = pod_template(manifest)
    claims = [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    spec = {**pod["spec"], "volumes": [*pod["spec"].get("volumes", []), *volumes], "serviceAccountName": "default"}
    metadata = {"name": manifest["kind"].lower(), "labels": pod["metadata"].get("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_every_pod_is_restricted(namespace: Kubectl) -> None:
    for persistence in (True, False):
        manifests = render({**VALUES, "redis": {"persistence": {"enabled": persistence}}})
        workloads = of_kind(manifests, "Deployment", "StatefulSet", "Job", "Pod")
        refusals = {m["kind"]: namespace.create(as_pod(m), "--dry-run=server") for m in workloads}
        assert refusals == dict.fromkeys(("Deployment", "StatefulSet", "Job", "Pod"), "")


def test_the_namespace_would_refuse_a_careless_pod(namespace: Kubectl) -> None:
    (job,) = of_kind(render({**VALUES, "securityContext": {"allowPrivilegeEscalation": True}}), "Job")
    assert 'violates PodSecurity "restricted' in namespace.create(as_pod(job), "--dry-run=server")


def test_the_api_server_has_no_warning(namespace: Kubectl) -> None:
    # A bare pod is only taken where its ServiceAccount exists already; the test above has it.
    manifests = [manifest for manifest in render() if manifest["kind"] != "Pod"]
    for manifest in manifests:
        manifest["metadata"].pop("namespace", None)
    manifest_list = {"apiVersion": "v1", "kind": "List", "items": manifests}
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-")
    process = namespace("apply", *options, given=manifest_list)
    assert (process.stderr, process.stdout.count("serverside-applied (server dry run)")) == ("", len(manifests))


def test_the_password_outlives_an_upgrade_and_a_reinstall(namespace: Kubectl, other_namespace: Kubectl) -> None:
    home, other = namespace, other_namespace
    values = {**VALUES, "redis": {"namespaces": [other.namespace]}}
    place = ("--namespace", home.namespace)
    install = ("upgrade", "--install", RELEASE, str(CHART), *place)

    helm(*install, values=values, kubeconfig=kubeconfig())
    first = password(home)
    assert first
    assert password(other) == first

    helm(*install, values={**values, "logLevel": "DEBUG"}, kubeconfig=kubeconfig())
    assert password(home) == first

    # The Job of the hook needs a kubelet; the end-to-end tests run it.
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())
    assert (password(home), password(other)) == (first, first)
    names = home("get", "deployments,statefulsets,services,configmaps", "--output", "name").stdout.split()
    assert [name for name in names if RELEASE in name] == []

    helm(*install, values=values, kubeconfig=kubeconfig())
    assert (password(home), password(other)) == (first, first)
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())


def test_without_keep_an_uninstall_leaves_no_secret(namespace: Kubectl) -> None:
    place = ("--namespace", namespace.namespace)
    values = {"crds": {"install": False, "keep": False}}
    helm("install", RELEASE, str(CHART), *place, values=values, kubeconfig=kubeconfig())
    assert password(namespace)
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())
    assert password(namespace) is None
