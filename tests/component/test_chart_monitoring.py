"""What the chart renders for Prometheus: the port, the Service, and who is asked to scrape it."""

from typing import Any

import pytest

from support.helm import FULLNAME, NAMESPACE, Manifest, matches, notes, of_kind, one, pod_template, render
from taskgroup.serve.metrics.server import PATH

WITHOUT_CRDS: dict[str, Any] = {"crds": {"install": False}}
NAME = f"{FULLNAME}-metrics"
SECURE: dict[str, Any] = {
    "enabled": True,
    "certificateSecret": "tls",
    "monitor": {"tokenSecret": {"name": "reader"}, "authoritySecret": {"name": "ca"}},
}
MONITORS = {"serviceMonitor": ("ServiceMonitor", "endpoints"), "podMonitor": ("PodMonitor", "podMetricsEndpoints")}

WORKLOADS = ("Deployment", "StatefulSet", "Job")

each_monitor = pytest.mark.parametrize("key", MONITORS)


def rendered(**metrics: Any) -> list[Manifest]:
    return render({**WITHOUT_CRDS, "metrics": metrics})


def operator(manifests: list[Manifest]) -> Manifest:
    return pod_template(one(manifests, "Deployment", FULLNAME))


def monitor(key: str, **values: Any) -> Manifest:
    return one(rendered(**{key: {"enabled": True, **values}}), MONITORS[key][0], NAME)


def endpoint(key: str, **values: Any) -> Manifest:
    endpoints: list[Manifest] = monitor(key, **values)["spec"][MONITORS[key][1]]
    assert len(endpoints) == 1
    return endpoints[0]


def is_selected(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def variables(template: Manifest) -> dict[str, str]:
    (container,) = template["spec"]["containers"]
    prefix = "TASKGROUP_METRICS_"
    return {e["name"].removeprefix(prefix): e["value"] for e in container["env"] if e["name"].startswith(prefix)}


def test_the_service_leads_to_the_port_of_the_operator() -> None:
    manifests = rendered(port=9102, service={"labels": {"team": "a"}, "annotations": {"note": "x"}})
    template, service = operator(manifests), one(manifests, "Service", NAME)
    assert is_selected(service["spec"]["selector"], template["metadata"]["labels"])
    assert service["spec"]["ports"] == [{"name": "metrics", "port": 9102, "targetPort": "metrics"}]
    assert {"name": "metrics", "containerPort": 9102} in template["spec"]["containers"][0]["ports"]
    assert (service["metadata"]["labels"]["team"], service["metadata"]["annotations"]) == ("a", {"note": "x"})
    others = [m["spec"]["template"] for m in of_kind(manifests, "StatefulSet", "Job")]
    assert not [pod for pod in others if is_selected(service["spec"]["selector"], pod["metadata"]["labels"])]


def test_the_operator_is_told_what_to_serve() -> None:
    manifests = rendered(address="::", port=9102, keepSeconds=86_400, maxGroups=100_000)
    wanted = {"ADDRESS": "::", "PORT": "9102", "KEEP_SECONDS": "86400", "MAX_GROUPS": "100000"}
    assert variables(operator(manifests)) == wanted


@each_monitor
def test_the_exporter_beside_redis_is_scraped_with_the_operator(key: str) -> None:
    values = {"metrics": {key: {"enabled": True}}, "redis": {"exporter": {"enabled": True}}}
    manifests = render({**WITHOUT_CRDS, **values})
    found = {m["metadata"]["name"]: m["spec"] for m in of_kind(manifests, MONITORS[key][0])}
    assert found.keys() == {NAME, f"{FULLNAME}-redis-metrics"}
    candidates = {
        "serviceMonitor": [(m["metadata"]["name"], m["metadata"]["labels"]) for m in of_kind(manifests, "Service")],
        "podMonitor": [(m["kind"], pod_template(m)["metadata"]["labels"]) for m in of_kind(manifests, *WORKLOADS)],
    }
    taken = [
        name for name, labels in candidates[key] if matches(found[f"{FULLNAME}-redis-metrics"]["selector"], labels)
    ]
    assert taken == [{"serviceMonitor": f"{FULLNAME}-redis-metrics", "podMonitor": "StatefulSet"}[key]]


def test_the_service_of_the_exporter_leads_to_its_port() -> None:
    manifests = render({**WITHOUT_CRDS, "redis": {"exporter": {"enabled": True}}})
    service = one(manifests, "Service", f"{FULLNAME}-redis-metrics")["spec"]
    pod = pod_template(one(manifests, "StatefulSet", f"{FULLNAME}-redis"))
    assert is_selected(service["selector"], pod["metadata"]["labels"])
    ports = {port["name"]: port["containerPort"] for c in pod["spec"]["containers"] for port in c["ports"]}
    assert ports[service["ports"][0]["targetPort"]] == service["ports"][0]["port"] == 9121


def test_without_metrics_there_is_no_port_and_no_service() -> None:
    manifests = rendered(enabled=False, port=8080)
    assert variables(operator(manifests))["PORT"] == "0"
    assert [port["name"] for port in operator(manifests)["spec"]["containers"][0]["ports"]] == ["health"]
    assert [service["metadata"]["name"] for service in of_kind(manifests, "Service")] == [f"{FULLNAME}-redis"]


def test_without_a_prometheus_operator_nothing_of_it_is_needed() -> None:
    assert not [m for m in rendered() if m["apiVersion"].startswith("monitoring.coreos.com")]


def test_a_service_monitor_finds_the_one_service() -> None:
    manifests = rendered(serviceMonitor={"enabled": True})
    spec = one(manifests, "ServiceMonitor", NAME)["spec"]
    services = of_kind(manifests, "Service")
    found = [s for s in services if is_selected(spec["selector"]["matchLabels"], s["metadata"]["labels"])]
    assert [service["metadata"]["name"] for service in found] == [NAME]
    assert [port["name"] for port in found[0]["spec"]["ports"]] == [spec["endpoints"][0]["port"]]
    assert spec["namespaceSelector"] == {"matchNames": [NAMESPACE]}


def test_a_pod_monitor_finds_the_operator_and_names_the_job_as_the_service() -> None:
    manifests = rendered(podMonitor={"enabled": True})
    spec = one(manifests, "PodMonitor", NAME)["spec"]
    pods = {m["kind"]: m["spec"]["template"] for m in of_kind(manifests, *WORKLOADS)}
    selector = spec["selector"]["matchLabels"]
    assert [kind for kind, pod in pods.items() if is_selected(selector, pod["metadata"]["labels"])] == ["Deployment"]
    (found,) = spec["podMetricsEndpoints"]
    assert found["port"] in [port["name"] for port in pods["Deployment"]["spec"]["containers"][0]["ports"]]
    assert found["relabelings"] == [{"targetLabel": "job", "replacement": NAME}]
    assert spec["namespaceSelector"] == {"matchNames": [NAMESPACE]}


@each_monitor
def test_a_scrape_is_as_the_values_say(key: str) -> None:
    rule = {"action": "labeldrop", "regex": "pod"}
    found = endpoint(key, interval="1m", scrapeTimeout="20s", relabelings=[rule], metricRelabelings=[rule, rule])
    assert (found["interval"], found["scrapeTimeout"]) == ("1m", "20s")
    assert found["relabelings"][-1] == rule
    assert found["metricRelabelings"] == [rule, rule]


@each_monitor
def test_a_series_keeps_the_namespace_of_its_group(key: str) -> None:
    assert endpoint(key)["honorLabels"] is True
    assert endpoint(key, honorLabels=False)["honorLabels"] is False
    assert endpoint(key)["interval"] == "30s"
    assert {"scrapeTimeout", "metricRelabelings"} & endpoint(key, interval="").keys() == set()
    assert "interval" not in endpoint(key, interval="")


@each_monitor
def test_a_monitor_is_where_and_labelled_as_a_prometheus_looks_for_it(key: str) -> None:
    metadata = monitor(key, namespace="monitoring", labels={"release": "stack"})["metadata"]
    assert (metadata["namespace"], metadata["labels"]["release"]) == ("monitoring", "stack")
    assert monitor(key)["metadata"]["namespace"] == NAMESPACE


def test_secured_metrics_are_served_with_the_certificate_of_the_secret() -> None:
    extra = {"extraVolumes": [{"name": "more"}], "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}]}
    manifests = render({**WITHOUT_CRDS, **extra, "metrics": {"secure": SECURE}})
    spec = operator(manifests)["spec"]
    folder = variables(operator(manifests))["CERTIFICATES"]
    assert variables(operator(manifests))["SECURE"] == "true"
    (mount,) = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["mountPath"] == folder]
    (volume,) = [volume for volume in spec["volumes"] if volume["name"] == mount["name"]]
    files = [{"key": name, "path": name} for name in ("tls.crt", "tls.key")]
    assert (mount["readOnly"], volume["secret"]) == (True, {"secretName": "tls", "items": files})
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp", "metrics-certificate", "more"]
    assert [m["kind"] for m in of_kind(manifests, *WORKLOADS) if folder in str(m)] == ["Deployment"]


@each_monitor
def test_the_operator_alone_is_scraped_with_a_token_over_tls(key: str) -> None:
    values = {"metrics": {"secure": SECURE, key: {"enabled": True}}, "redis": {"exporter": {"enabled": True}}}
    kind, endpoints = MONITORS[key]
    manifests = render({**WITHOUT_CRDS, **values})
    found = {m["metadata"]["name"]: m["spec"][endpoints][0] for m in of_kind(manifests, kind)}
    secured, exporter = found[NAME], found[f"{FULLNAME}-redis-metrics"]
    assert secured["authorization"] == {"type": "Bearer", "credentials": {"name": "reader", "key": "token"}}
    authority = {"secret": {"name": "ca", "key": "ca.crt"}}
    assert (secured["scheme"], secured["tlsConfig"]) == (
        "https",
        {"serverName": f"{NAME}.{NAMESPACE}.svc", "ca": authority},
    )
    assert {"authorization", "scheme", "tlsConfig"} & exporter.keys() == set()


@each_monitor
def test_what_is_not_named_is_left_to_prometheus(key: str) -> None:
    without_tls = one(rendered(secure={"enabled": True}, **{key: {"enabled": True}}), MONITORS[key][0], NAME)
    (found,) = without_tls["spec"][MONITORS[key][1]]
    assert {"authorization", "scheme", "tlsConfig"} & found.keys() == set()
    secure = {**SECURE, "monitor": {"serverName": "metrics.example.com"}}
    with_tls = one(rendered(secure=secure, **{key: {"enabled": True}}), MONITORS[key][0], NAME)
    (found,) = with_tls["spec"][MONITORS[key][1]]
    assert (found["tlsConfig"], "authorization" in found) == ({"serverName": "metrics.example.com"}, False)


def test_who_may_read_the_metrics_is_bound_by_nobody_but_the_administrator() -> None:
    manifests = rendered(secure=SECURE)
    reader = one(manifests, "ClusterRole", f"{NAME}-reader:{NAMESPACE}")
    assert reader["rules"] == [{"nonResourceURLs": [PATH], "verbs": ["get"]}]
    bound = [binding["roleRef"]["name"] for binding in of_kind(manifests, "ClusterRoleBinding", "RoleBinding")]
    assert reader["metadata"]["name"] not in bound


@pytest.mark.parametrize("metrics", [{}, {"enabled": False, "secure": SECURE}], ids=["not secured", "not served"])
def test_nothing_of_it_is_there_unless_it_is_asked_for(metrics: dict[str, Any]) -> None:
    manifests = rendered(**metrics)
    assert {"SECURE", "CERTIFICATES"} & variables(operator(manifests)).keys() == set()
    assert not [m for m in manifests if "reviews" in str(m) or "nonResourceURLs" in str(m)]
    assert "metrics-certificate" not in str(operator(manifests))


@pytest.mark.parametrize(
    ("secure", "warnings"),
    [
        ({}, []),
        (SECURE, []),
        ({**SECURE, "certificateSecret": ""}, ["certificateSecret"]),
        ({**SECURE, "monitor": {}}, ["tokenSecret"]),
        ({"enabled": True}, ["certificateSecret", "tokenSecret"]),
    ],
)
def test_the_notes_warn_of_a_token_that_others_see_and_of_a_scrape_without_one(
    secure: dict[str, Any], warnings: list[str]
) -> None:
    values = {**WITHOUT_CRDS, "metrics": {"secure": secure, "serviceMonitor": {"enabled": True}}}
    given = [line for line in notes(values).splitlines() if line.startswith("WARNING: metrics.")]
    assert [word for word in ("certificateSecret", "tokenSecret") if any(word in line for line in given)] == warnings
    assert len(given) == len(warnings)
