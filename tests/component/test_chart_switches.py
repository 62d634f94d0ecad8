"""The chart with every switch on, on a real API server: each object is valid and each pod restricted.

What another switch adds is covered as soon as it stands in values.yaml.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.helm import CHART, FULLNAME, Manifest, as_pod, of_kind, one, render
from support.kubectl import Kubectl, new_namespace
from support.wait import PATIENCE

CLUSTER = Path(__file__).parents[1] / "cluster/cluster"
GROUP = "monitoring.coreos.com"
CONTEXTS = {"podSecurityContext", "securityContext"}
BY_POD = {"metrics": {"serviceMonitor": {"enabled": False}, "podMonitor": {"enabled": True}}}
BY_SERVICE = {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": False}}}
"""The chart refuses both at once."""


def switched_on(values: dict[str, Any]) -> dict[str, Any]:
    """True for every value that is true or false, security contexts apart: there it would be a right."""
    on: dict[str, Any] = {}
    for name, value in values.items():
        if name in CONTEXTS:
            continue
        if isinstance(value, bool):
            on[name] = True
        elif isinstance(value, dict) and (inner := switched_on(value)):
            on[name] = inner
    return on


def everything(monitors: dict[str, Any]) -> dict[str, Any]:
    """All switches, with one of the monitors; and the names without which secured metrics have no TLS and no token."""
    on = switched_on(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))
    named = {"tokenSecret": {"name": "reader"}, "authoritySecret": {"name": "tls"}}
    secure = {**on["metrics"]["secure"], "certificateSecret": "tls", "monitor": named}
    return {**on, "metrics": {**on["metrics"], **monitors["metrics"], "secure": secure}, "replicaCount": 2}


CASES = {
    "defaults": {},
    "no volume": {"redis": {"persistence": {"enabled": False}}},
    "all, scraped by Service": everything(BY_SERVICE),
    "all, scraped by pod": everything(BY_POD),
}
each_case = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())


@pytest.fixture(scope="module")
def monitoring() -> None:
    """The API server knows the kinds of the Prometheus Operator."""
    made = subprocess.run([str(CLUSTER), "definitions"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert made.returncode == 0, made.stderr
    kubectl = Kubectl("default")
    applied = kubectl("apply", "--server-side", "--force-conflicts", "--filename", made.stdout.strip())
    assert applied.returncode == 0, applied.stderr
    kubectl.until_established(
        *(f"crd/{kind}.{GROUP}" for kind in ("servicemonitors", "podmonitors", "prometheusrules"))
    )


@pytest.fixture
def namespace() -> Iterator[Kubectl]:
    with new_namespace() as kubectl:
        yield kubectl


def tried(kubectl: Kubectl, manifests: list[Manifest]) -> tuple[str, int]:
    """What the API server says of objects that it is only asked about, and how many it would take."""
    for manifest in manifests:
        manifest["metadata"].pop("namespace", None)
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--filename", "-")
    process = kubectl("apply", *options, given={"apiVersion": "v1", "kind": "List", "items": manifests})
    return process.stderr, process.stdout.count("serverside-applied (server dry run)")


@each_case
@pytest.mark.usefixtures("monitoring")
def test_the_api_server_takes_every_object_without_a_warning(namespace: Kubectl, values: dict[str, Any]) -> None:
    # A bare pod is only taken where its ServiceAccount exists already; the test below has it.
    manifests = [manifest for manifest in render(values) if manifest["kind"] != "Pod"]
    assert tried(namespace, manifests) == ("", len(manifests))


@each_case
def test_every_pod_is_restricted(namespace: Kubectl, values: dict[str, Any]) -> None:
    workloads = of_kind(render(values), "Deployment", "StatefulSet", "Job", "Pod")
    refusals = {m["kind"]: namespace.create(as_pod(m), "--dry-run=server") for m in workloads}
    assert refusals == dict.fromkeys(("Deployment", "StatefulSet", "Job", "Pod"), "")


def test_the_namespace_would_refuse_a_careless_pod(namespace: Kubectl) -> None:
    (job,) = of_kind(render({"securityContext": {"allowPrivilegeEscalation": True}}), "Job")
    assert 'violates PodSecurity "restricted' in namespace.create(as_pod(job), "--dry-run=server")


@pytest.mark.usefixtures("monitoring")
def test_the_api_server_would_refuse_a_monitor_with_an_unknown_field(namespace: Kubectl) -> None:
    monitor = one(render(CASES["all, scraped by pod"]), "PodMonitor", f"{FULLNAME}-metrics")
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    message, taken = tried(namespace, [monitor])
    assert (taken, "honourLabels" in message) == (0, True)


def test_all_switches_are_more_than_the_defaults() -> None:
    kinds = {name: {manifest["kind"] for manifest in render(values)} for name, values in CASES.items()}
    assert kinds["all, scraped by Service"] - kinds["defaults"] >= {"ServiceMonitor"}
    assert kinds["all, scraped by pod"] - kinds["defaults"] >= {"PodMonitor"}
