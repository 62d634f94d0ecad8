"""What the chart renders of budgets and network policies: they take the pods that are really there, and no others."""

from typing import Any

import pytest

from support.builders import meta, spec
from support.helm import FULLNAME, NAMESPACE, Manifest, matches, notes, of_kind, one, pod_template, render
from support.worker_manifest import backend, build
from taskgroup.cluster.item_readers import reader_pod

WITHOUT_CRDS: dict[str, Any] = {"crds": {"install": False}}
EXPORTER = {"redis": {"exporter": {"enabled": True}, "namespaces": ["shop"]}}
PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
WORKERS = f"{FULLNAME}-workers"
READERS = f"{FULLNAME}-readers"


def policies(values: dict[str, Any] | None = None, **policy: Any) -> list[Manifest]:
    return render({**WITHOUT_CRDS, **(values or {}), "networkPolicy": {"enabled": True, **policy}})


def taken(selector: Manifest, manifests: list[Manifest]) -> list[str]:
    """Which of the pods that the chart makes, and of those that the operator makes, the selector takes."""
    makers = of_kind(manifests, "Deployment", "StatefulSet", "Job", "Pod")
    found = {maker["kind"]: pod_template(maker)["metadata"]["labels"] for maker in makers}
    found["worker"] = build()["spec"]["template"]["metadata"]["labels"]
    found["reader"] = reader_pod(meta(), spec(), backend(), {}, "operator:1")["metadata"]["labels"]
    return [kind for kind, labels in found.items() if matches(selector, labels)]


def allowed(rules: list[Manifest]) -> dict[str, Any]:
    """Peers by protocol and port; None when everybody may."""
    return {
        f"{port['protocol']} {port['port']}": rule.get("from", rule.get("to"))
        for rule in rules
        for port in rule.get("ports", ())
    }


def policy(manifests: list[Manifest], name: str) -> Manifest:
    return one(manifests, "NetworkPolicy", name)


def test_nothing_is_restricted_unless_it_is_asked_for() -> None:
    assert not of_kind(render(WITHOUT_CRDS), "NetworkPolicy")


@pytest.mark.parametrize(
    ("name", "pod"),
    [(FULLNAME, "Deployment"), (f"{FULLNAME}-redis", "StatefulSet"), (WORKERS, "worker"), (READERS, "reader")],
)
def test_a_policy_is_about_the_pods_of_its_name(name: str, pod: str) -> None:
    manifests = policies()
    assert taken(policy(manifests, name)["spec"]["podSelector"], manifests) == [pod]


def test_the_operator_is_asked_for_its_probes_and_metrics_only() -> None:
    spec = policy(policies(metricsFrom=[PEER]), FULLNAME)["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert allowed(spec["ingress"]) == {"TCP 8080": None, "TCP 8081": [PEER]}
    without = policy(policies({"metrics": {"enabled": False}, "health": {"port": 9090}}), FULLNAME)["spec"]
    assert allowed(without["ingress"]) == {"TCP 9090": None}


def test_the_operator_reaches_names_the_api_server_and_redis() -> None:
    manifests = policies()
    reached = allowed(policy(manifests, FULLNAME)["spec"]["egress"])
    (redis,) = reached.pop("TCP 6379")
    assert taken(redis["podSelector"], manifests) == ["StatefulSet"]
    assert reached == dict.fromkeys(("UDP 53", "TCP 53", "TCP 443", "TCP 6443"))


def test_where_the_operator_connects_to_can_be_narrowed_and_widened() -> None:
    broker = {"ports": [{"protocol": "TCP", "port": 6380}], "to": [PEER]}
    values = {"dnsTo": [PEER], "dnsPorts": [5353], "apiServerTo": [PEER], "apiServerPorts": [7443], "brokers": [broker]}
    spec = policy(policies({"redis": {"enabled": False}}, **values), FULLNAME)["spec"]
    assert allowed(spec["egress"]) == {key: [PEER] for key in ("UDP 5353", "TCP 5353", "TCP 7443", "TCP 6380")}


def test_redis_is_reached_by_the_operator_and_its_pods_in_the_namespaces_that_it_serves() -> None:
    manifests = policies(EXPORTER, redisFrom=[PEER], metricsFrom=[])
    spec = policy(manifests, f"{FULLNAME}-redis")["spec"]
    assert (spec["policyTypes"], spec.get("egress")) == (["Ingress", "Egress"], None)
    reached = allowed(spec["ingress"])
    operator, workers, readers, other = reached.pop("TCP 6379")
    assert (other, reached) == (PEER, {"TCP 9121": None})
    assert taken(operator["podSelector"], manifests) == ["Deployment"]
    assert taken(workers["podSelector"], manifests) == ["worker"]
    assert taken(readers["podSelector"], manifests) == ["reader"]
    assert workers["namespaceSelector"] == readers["namespaceSelector"]
    (where,) = workers["namespaceSelector"]["matchExpressions"]
    assert where == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [NAMESPACE, "shop"]}


@pytest.mark.parametrize("name", [WORKERS, READERS])
def test_the_operators_pods_are_closed_in_each_namespace_that_the_chart_knows(name: str) -> None:
    """What they open stays theirs: tasks and the sources of items need it."""
    found = [m for m in of_kind(policies(EXPORTER), "NetworkPolicy") if m["metadata"]["name"] == name]
    assert [m["metadata"]["namespace"] for m in found] == [NAMESPACE, "shop"]
    assert {str((m["spec"]["policyTypes"], m["spec"].get("ingress"))) for m in found} == {"(['Ingress'], None)"}
    names = [m["metadata"]["name"] for m in of_kind(policies(EXPORTER, workers=False), "NetworkPolicy")]
    assert names == [FULLNAME, f"{FULLNAME}-redis"]


@pytest.mark.parametrize(("brokers", "warned"), [([], True), ([{"to": [PEER]}], False)])
def test_the_notes_warn_of_an_operator_that_reaches_no_broker(brokers: list[Any], warned: bool) -> None:
    values = {**WITHOUT_CRDS, "redis": {"enabled": False}, "networkPolicy": {"enabled": True, "brokers": brokers}}
    assert ("networkPolicy.brokers is empty" in notes(values)) == warned


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
def test_a_drain_takes_one_operator_at_a_time_and_is_never_held_up(replicas: int, budgets: int) -> None:
    manifests = render({**WITHOUT_CRDS, "replicaCount": replicas})
    deployment = one(manifests, "Deployment", FULLNAME)["spec"]
    found = [budget["spec"] for budget in of_kind(manifests, "PodDisruptionBudget")]
    assert deployment["replicas"] == replicas
    assert found == [{"maxUnavailable": 1, "selector": deployment["selector"]}] * budgets


@pytest.mark.parametrize(
    ("values", "budget"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"minAvailable": 1}, {"minAvailable": 1}),
        ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
    ],
)
def test_a_budget_can_be_asked_for(values: dict[str, Any], budget: dict[str, Any]) -> None:
    manifests = render({**WITHOUT_CRDS, "podDisruptionBudget": {"enabled": True, **values}})
    spec = one(manifests, "PodDisruptionBudget", FULLNAME)["spec"]
    assert spec == {**budget, "selector": one(manifests, "Deployment", FULLNAME)["spec"]["selector"]}
