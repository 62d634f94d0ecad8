"""The chart on a real API server: what it makes is accepted under the strictest settings, and what should last lasts."""

import base64
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.helm import CHART, Manifest, helm, of_kind, pod_template, render

RELEASE = "demo"
SECRET = "demo-taskgroup-operator-redis"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
VALUES: dict[str, Any] = {"crds": {"install": False}}
"""The definitions are the whole cluster's; other tests on the same API server have their own."""


@pytest.fixture(scope="module")
def kubeconfig() -> str:
    """Kubeconfig of the API server that tests may write to, never the user's own."""
    path = os.environ.get("TASKGROUP_TEST_KUBECONFIG")
    if not path:
        pytest.fail("TASKGROUP_TEST_KUBECONFIG is not set: set it to what `tests/cluster/cluster up --light` prints.")
    return path


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def __call__(self, *arguments: str, given: Manifest | None = None) -> subprocess.CompletedProcess[str]:
        """One call, not checked; `given` is its standard input."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments]
        text = json.dumps(given) if given else None
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)

    def create(self, manifest: Manifest, *options: str) -> str:
        """What the API server said against it; empty when it accepted."""
        return self("create", "--filename", "-", *options, given=manifest).stderr

    def password(self) -> str | None:
        """Password in the Redis Secret; None without a Secret."""
        data = self("get", "secret", SECRET, "--output", "jsonpath={.data.password}", "--ignore-not-found").stdout
        return base64.b64decode(data).decode() or None


@pytest.fixture
def namespaces(kubeconfig: str) -> Iterator[tuple[Kubectl, Kubectl]]:
    """Two new namespaces that admit restricted pods only."""
    made = [Kubectl(kubeconfig, f"chart-{uuid.uuid4().hex[:8]}") for _ in range(2)]
    for kubectl in made:
        metadata = {"name": kubectl.namespace, "labels": RESTRICTED}
        assert kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}) == ""
    yield made[0], made[1]
    for kubectl in made:
        kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


@pytest.fixture
def namespace(namespaces: tuple[Kubectl, Kubectl]) -> Kubectl:
    return namespaces[0]


def as_pod(manifest: Manifest) -> Manifest:
    """The pod of a workload, as its controller would create it, with the API server's default for a volume claim."""
    pod = pod_template(manifest)
    claims = [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    spec = {**pod["spec"], "volumes": [*pod["spec"].get("volumes", []), *volumes], "serviceAccountName": "default"}
    metadata = {"name": manifest["kind"].lower(), "labels": pod["metadata"].get("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def with_default_account(kubectl: Kubectl) -> None:
    """The ServiceAccount that a controller makes on full clusters; it may be there already."""
    kubectl.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})


def test_every_pod_is_restricted(namespace: Kubectl) -> None:
    with_default_account(namespace)
    for persistence in (True, False):
        manifests = render({**VALUES, "redis": {"persistence": {"enabled": persistence}}})
        workloads = of_kind(manifests, "Deployment", "StatefulSet", "Job", "Pod")
        refusals = {m["kind"]: namespace.create(as_pod(m), "--dry-run=server") for m in workloads}
        assert refusals == dict.fromkeys(("Deployment", "StatefulSet", "Job", "Pod"), "")


def test_the_namespace_would_refuse_a_careless_pod(namespace: Kubectl) -> None:
    with_default_account(namespace)
    (job,) = of_kind(render({**VALUES, "securityContext": {"allowPrivilegeEscalation": True}}), "Job")
    assert 'violates PodSecurity "restricted' in namespace.create(as_pod(job), "--dry-run=server")


def test_the_api_server_has_no_warning(namespace: Kubectl) -> None:
    # A bare pod is only taken where its ServiceAccount exists already; the test above has it.
    manifests = [manifest for manifest in render() if manifest["kind"] != "Pod"]
    for manifest in manifests:
        manifest["metadata"].pop("namespace", None)
    given = {"apiVersion": "v1", "kind": "List", "items": manifests}
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-")
    done = namespace("apply", *options, given=given)
    assert (done.stderr, done.stdout.count("serverside-applied (server dry run)")) == ("", len(manifests))


def test_the_password_outlives_an_upgrade_and_a_reinstall(kubeconfig: str, namespaces: tuple[Kubectl, Kubectl]) -> None:
    home, other = namespaces
    values = {**VALUES, "redis": {"namespaces": [other.namespace]}}
    place = ("--namespace", home.namespace)
    install = ("upgrade", "--install", RELEASE, str(CHART), *place)

    helm(*install, values=values, kubeconfig=kubeconfig)
    first = home.password()
    assert first
    assert other.password() == first

    helm(*install, values={**values, "logLevel": "DEBUG"}, kubeconfig=kubeconfig)
    assert home.password() == first

    # The Job of the hook needs a kubelet; the end-to-end tests run it.
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig)
    assert (home.password(), other.password()) == (first, first)
    left = home("get", "deployments,statefulsets,services,configmaps", "--output", "name").stdout.split()
    assert [name for name in left if RELEASE in name] == []

    helm(*install, values=values, kubeconfig=kubeconfig)
    assert (home.password(), other.password()) == (first, first)
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig)


def test_without_keep_an_uninstall_leaves_no_secret(kubeconfig: str, namespace: Kubectl) -> None:
    place = ("--namespace", namespace.namespace)
    values = {"crds": {"install": False, "keep": False}}
    helm("install", RELEASE, str(CHART), *place, values=values, kubeconfig=kubeconfig)
    assert namespace.password()
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig)
    assert namespace.password() is None
