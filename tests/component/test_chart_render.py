"""What the chart renders for the choices that its values offer."""

import base64
from typing import Any

import pytest
import yaml

from support.helm import CHART, FULLNAME, NAMESPACE, Manifest, helm, notes, of_kind, one, render
from taskgroup.api.names import API_VERSION, GROUP, LEDGER_PLURAL, PLURAL, Environment
from taskgroup.api.taskgroup import TaskGroup

REDIS_OFF: dict[str, Any] = {"redis": {"enabled": False}}
WITHOUT_CRDS: dict[str, Any] = {"crds": {"install": False}}
"""Most cases are not about the definitions, which are most of the text."""


CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "redis off": REDIS_OFF,
    "own broker": {**REDIS_OFF, "broker": {"existingSecret": "mine"}},
    "watched namespaces": {"watchNamespaces": ["team-a", "team-b"], "redis": {"namespaces": ["team-a"]}},
    "standby": {"replicaCount": 2, "leaseSeconds": 30, "health": {"address": "::", "port": 9090}},
    "no volume": {"redis": {"persistence": {"enabled": False}}},
    "secured metrics": {"watchNamespaces": ["team-a"], "metrics": {"secure": {"enabled": True}}},
    "existing claim": {"redis": {"persistence": {"existingClaim": "disk"}}},
    "scheduling": {
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"disk": "fast"},
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "imagePullSecrets": [{"name": "pull"}],
        "podLabels": {"team": "a"},
        "podAnnotations": {"note": "x"},
        "commonLabels": {"owner": "a"},
        "extraEnv": [{"name": "EXTRA", "value": "1"}],
    },
}


def environment(deployment: Manifest) -> dict[str, str]:
    """Literal variables of the one container."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def operator_environment(values: dict[str, Any]) -> dict[str, str]:
    return environment(one(render({**WITHOUT_CRDS, **values}), "Deployment", FULLNAME))


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_helm_lint_has_nothing_to_say(values: dict[str, Any]) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), values=values)


def test_the_operator_is_told_where_it_is_and_what_it_serves() -> None:
    deployment = one(render(WITHOUT_CRDS), "Deployment", FULLNAME)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    by_field = {entry["name"]: entry["valueFrom"]["fieldRef"]["fieldPath"] for entry in container["env"][:2]}
    assert by_field == {Environment.NAMESPACE: "metadata.namespace", Environment.POD_NAME: "metadata.name"}
    assert environment(deployment) == {
        Environment.WATCH_NAMESPACES: "",
        Environment.READER_IMAGE: container["image"],
        Environment.REDIS_SECRET: f"{FULLNAME}-redis",
        Environment.REDIS_NAMESPACES: NAMESPACE,
        Environment.LOG_LEVEL: "INFO",
        Environment.LEASE_NAME: FULLNAME,
        Environment.LEASE_SECONDS: "15",
        Environment.HEALTH_ADDRESS: "",
        Environment.HEALTH_PORT: "8080",
        Environment.MAX_MESSAGE_BYTES: "1048576",
        Environment.WRITES_PER_SECOND: "50",
        "TASKGROUP_METRICS_ADDRESS": "",
        "TASKGROUP_METRICS_PORT": "8081",
        "TASKGROUP_METRICS_KEEP_SECONDS": "600",
        "TASKGROUP_METRICS_MAX_GROUPS": "1000",
    }


def test_the_next_operator_is_ready_before_the_last_one_goes() -> None:
    spec = one(render(WITHOUT_CRDS), "Deployment", FULLNAME)["spec"]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (spec["replicas"], spec["strategy"]) == (1, rolling)


def test_who_waits_for_the_lease_is_asked_for_no_more_than_life() -> None:
    values = {**WITHOUT_CRDS, "health": {"port": 9090}}
    (container,) = one(render(values), "Deployment", FULLNAME)["spec"]["template"]["spec"]["containers"]
    assert container["ports"][0] == {"name": "health", "containerPort": 9090}
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_pods_select_only_their_own() -> None:
    manifests = render(WITHOUT_CRDS)
    selectors = [m["spec"]["selector"]["matchLabels"] for m in of_kind(manifests, "Deployment", "StatefulSet")]
    pods = [m["spec"]["template"]["metadata"]["labels"] for m in of_kind(manifests, "Deployment", "StatefulSet", "Job")]
    matches = [[selector.items() <= labels.items() for labels in pods] for selector in selectors]
    assert [sum(row) for row in matches] == [1, 1]


def test_without_redis_nothing_of_it_is_left_and_no_default_broker() -> None:
    manifests = render({**WITHOUT_CRDS, **REDIS_OFF})
    assert not of_kind(manifests, "StatefulSet", "Secret", "ConfigMap", "Pod")
    assert [service["metadata"]["name"] for service in of_kind(manifests, "Service")] == [f"{FULLNAME}-metrics"]
    variables = environment(one(manifests, "Deployment", FULLNAME))
    assert (variables[Environment.REDIS_SECRET], variables[Environment.REDIS_NAMESPACES]) == ("", "")


def test_an_own_broker_is_the_default_for_the_listed_namespaces() -> None:
    values = {"redis": {"enabled": False, "namespaces": ["team-a", NAMESPACE]}, "broker": {"existingSecret": "mine"}}
    variables = operator_environment(values)
    assert (variables[Environment.REDIS_SECRET], variables[Environment.REDIS_NAMESPACES]) == (
        "mine",
        f"{NAMESPACE},team-a",
    )


def test_every_listed_namespace_gets_the_same_redis_secret() -> None:
    secrets = of_kind(render({**WITHOUT_CRDS, "redis": {"namespaces": ["team-a"]}}), "Secret")
    assert [secret["metadata"]["namespace"] for secret in secrets] == [NAMESPACE, "team-a"]
    assert secrets[0]["data"] == secrets[1]["data"]
    data = {key: base64.b64decode(value).decode() for key, value in secrets[0]["data"].items()}
    assert len(data["password"]) == 40
    assert data["url"] == f"redis://:{data['password']}@{FULLNAME}-redis.{NAMESPACE}.svc:6379/0"


def test_the_redis_password_is_nowhere_but_in_its_secret() -> None:
    manifests = render({**WITHOUT_CRDS, "redis": {"password": "not-to-be-seen"}})
    (secret,) = of_kind(manifests, "Secret")
    assert base64.b64decode(secret["data"]["password"]) == b"not-to-be-seen"
    assert "not-to-be-seen" not in yaml.safe_dump([manifest for manifest in manifests if manifest is not secret])


def test_redis_keeps_what_it_was_given() -> None:
    config = one(render(WITHOUT_CRDS), "ConfigMap", f"{FULLNAME}-redis")["data"]["redis.conf"].splitlines()
    wanted = {"appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction"}
    assert wanted <= set(config)


@pytest.mark.parametrize(
    ("persistence", "claimed", "volume"),
    [
        ({"enabled": True, "size": "2Gi", "storageClass": "fast"}, True, None),
        ({"enabled": True, "existingClaim": "disk"}, False, {"persistentVolumeClaim": {"claimName": "disk"}}),
        ({"enabled": False, "existingClaim": "disk"}, False, {"emptyDir": {}}),
    ],
)
def test_redis_data_lives_where_the_values_say(
    persistence: dict[str, Any], claimed: bool, volume: dict[str, Any] | None
) -> None:
    spec = one(render({**WITHOUT_CRDS, "redis": {"persistence": persistence}}), "StatefulSet", f"{FULLNAME}-redis")[
        "spec"
    ]
    named = {v["name"]: {k: x for k, x in v.items() if k != "name"} for v in spec["template"]["spec"]["volumes"]}
    assert named.get("data") == volume
    claims = [claim["spec"] for claim in spec.get("volumeClaimTemplates", [])]
    wanted = {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}
    }  # fmt: skip
    assert claims == ([wanted] if claimed else [])


def test_reviews_are_asked_for_by_the_account_that_a_list_of_namespaces_restricts() -> None:
    name = f"{FULLNAME}-review:{NAMESPACE}"
    manifests = render({**WITHOUT_CRDS, **CASES["secured metrics"]})
    rules = one(manifests, "ClusterRole", name)["rules"]
    assert {(*rule["apiGroups"], *rule["resources"], *rule["verbs"]) for rule in rules} == {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }
    (subject,) = one(manifests, "ClusterRoleBinding", name)["subjects"]
    assert subject["name"] == one(manifests, "Deployment", FULLNAME)["spec"]["template"]["spec"]["serviceAccountName"]


def test_watched_namespaces_get_a_role_each_and_no_rights_elsewhere() -> None:
    manifests = render({**WITHOUT_CRDS, "watchNamespaces": ["team-a", "team-b"]})
    roles = {(m["metadata"]["namespace"], m["metadata"]["name"]) for m in of_kind(manifests, "Role")}
    assert {("team-a", FULLNAME), ("team-b", FULLNAME)} <= roles
    bound = {m["roleRef"]["name"] for m in of_kind(manifests, "ClusterRoleBinding")}
    assert bound == {f"{FULLNAME}-discovery:{NAMESPACE}"}
    variables = environment(one(manifests, "Deployment", FULLNAME))
    assert variables[Environment.WATCH_NAMESPACES] == "team-a,team-b"


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_no_role_has_a_wildcard_and_every_binding_has_its_role(values: dict[str, Any]) -> None:
    manifests = render({**WITHOUT_CRDS, **values})
    roles = of_kind(manifests, "Role", "ClusterRole")
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        assert not [words for words in rule.values() if "*" in "".join(words)]
    known = {(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in roles}
    for binding in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        reference = binding["roleRef"]
        assert (reference["kind"], binding["metadata"].get("namespace"), reference["name"]) in known


def test_secrets_are_only_ever_read_one_by_one() -> None:
    rules = [rule for role in of_kind(render(WITHOUT_CRDS), "Role", "ClusterRole") for rule in role["rules"]]
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["get"]]


def test_the_operator_may_do_with_ledgers_what_it_does_and_nothing_with_config_maps() -> None:
    rules = one(render(WITHOUT_CRDS), "ClusterRole", f"{FULLNAME}:{NAMESPACE}")["rules"]
    assert [rule["verbs"] for rule in rules if LEDGER_PLURAL in rule["resources"]] == [["get", "create", "update"]]
    everybody = [rule for role in of_kind(render(), "Role", "ClusterRole") for rule in role["rules"]]
    assert [rule for rule in everybody if "configmaps" in rule["resources"]] == []


def test_who_may_edit_task_groups_has_no_right_to_their_ledgers() -> None:
    roles = [
        role
        for role in of_kind(render(WITHOUT_CRDS), "Role", "ClusterRole")
        if any(LEDGER_PLURAL in rule["resources"] for rule in role["rules"])
    ]
    assert [role["metadata"]["name"] for role in roles] == [f"{FULLNAME}:{NAMESPACE}"]
    assert not [label for label in roles[0]["metadata"]["labels"] if label.startswith("rbac.authorization.k8s.io/")]


def test_the_definitions_are_the_generated_files_and_outlive_the_release() -> None:
    rendered = {crd["metadata"]["name"]: crd for crd in of_kind(render(), "CustomResourceDefinition")}
    assert rendered.keys() == {f"{PLURAL}.{GROUP}", f"{LEDGER_PLURAL}.{GROUP}"}
    for crd in rendered.values():
        assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    files = [yaml.safe_load(path.read_text()) for path in CHART.glob("files/crds/*.yaml")]
    assert rendered == {crd["metadata"]["name"]: crd for crd in files}


def test_what_need_not_outlive_the_release_is_not_kept() -> None:
    manifests = render({"crds": {"keep": False}})
    assert len(of_kind(manifests, "CustomResourceDefinition")) == 2
    assert "helm.sh/resource-policy" not in yaml.safe_dump(manifests)
    retention = one(manifests, "StatefulSet", f"{FULLNAME}-redis")["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert retention["whenDeleted"] == "Delete"


def test_definitions_can_be_left_to_someone_else() -> None:
    assert not of_kind(render(WITHOUT_CRDS), "CustomResourceDefinition")


@pytest.mark.parametrize(
    ("values", "namespace"),
    [
        ({}, NAMESPACE),
        ({"watchNamespaces": ["team-a"], "redis": {"namespaces": ["team-b", "team-a"]}}, "team-a"),
        ({"watchNamespaces": ["team-a"]}, None),
    ],
)
def test_helm_test_runs_where_a_group_can_run(values: dict[str, Any], namespace: str | None) -> None:
    pods = of_kind(render({**WITHOUT_CRDS, **values}), "Pod")
    assert [pod["spec"]["containers"][0]["args"][4] for pod in pods] == ([namespace] if namespace else [])


def test_uninstall_begins_with_the_operator_stopping_itself() -> None:
    job = one(render(WITHOUT_CRDS), "Job", f"{FULLNAME}-uninstall")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["uninstall", "--deployment", FULLNAME]
    assert not of_kind(render({**WITHOUT_CRDS, "uninstallHook": {"enabled": False}}), "Job")


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "taskgroup-operator:0.1.0"),
        ({"imageRegistry": "registry.example.com/team/", "image": {"tag": "dev"}},
         "registry.example.com/team/taskgroup-operator:dev"),
        ({"image": {"tag": "dev", "digest": "sha256:" + "0" * 64}}, "taskgroup-operator@sha256:" + "0" * 64),
    ],
)  # fmt: skip
def test_images_are_named_by_values(values: dict[str, Any], image: str) -> None:
    deployment = one(render({**WITHOUT_CRDS, **values}), "Deployment", FULLNAME)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image


@pytest.mark.parametrize("values", [{}, REDIS_OFF], ids=["default broker", "no default broker"])
def test_the_notes_begin_with_a_valid_group(values: dict[str, Any]) -> None:
    text = notes({**WITHOUT_CRDS, **values})
    manifest = yaml.safe_load(text.split("<<'MANIFEST'\n")[1].split("\nMANIFEST\n")[0])
    assert (manifest["apiVersion"], manifest["metadata"]["namespace"]) == (API_VERSION, NAMESPACE)
    group = TaskGroup.model_validate({"spec": manifest["spec"]})
    assert (group.spec.broker is None) == (not values)
