"""The chart's uninstall Job does its work with the rights that the chart gives it, and no others."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.helm import CHART, FULLNAME, RELEASE, HelmError, helm, of_kind, render
from support.kubectl import Kubectl, kubeconfig, new_namespace
from support.wait import eventually
from taskgroup.api.names import API_VERSION, FINALIZER, KIND, LABEL_MANAGED_BY, LABEL_UID, MANAGER
from taskgroup.cli import uninstall as command
from taskgroup.cluster.client import connect
from taskgroup.cluster.errors import ForbiddenError

HOOK = f"{FULLNAME}-uninstall"
WORKERS = "squares-0123abcd"
DEFINITIONS = ("crd/taskgroups.taskgroups.dev", "crd/taskgroupledgers.taskgroups.dev")


@pytest.fixture
def home() -> Iterator[Kubectl]:
    """The release's namespace, with the operator's Deployment."""
    with new_namespace() as kubectl:
        assert kubectl.create(deployment(FULLNAME, {"app": "operator"})) == ""
        yield kubectl


@pytest.fixture
def team() -> Iterator[Kubectl]:
    """A watched namespace with a TaskGroup that the operator holds, and its workers."""
    with new_namespace() as kubectl:
        definitions = [argument for path in CHART.glob("files/crds/*.yaml") for argument in ("--filename", str(path))]
        assert kubectl("apply", "--server-side", "--force-conflicts", *definitions).returncode == 0
        kubectl.until_established(*DEFINITIONS)
        assert kubectl.create(deployment(WORKERS, {LABEL_MANAGED_BY: MANAGER, LABEL_UID: "0123abcd"})) == ""
        assert kubectl.create(task_group()) == ""
        yield kubectl
        kubectl("patch", "taskgroup", "squares", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')


def deployment(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A Deployment of one pod, which need not run."""
    (operator,) = of_kind(render({"crds": {"install": False}}), "Deployment")
    container = {**operator["spec"]["template"]["spec"]["containers"][0], "volumeMounts": [], "env": []}
    pod = {"securityContext": operator["spec"]["template"]["spec"]["securityContext"], "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def task_group() -> dict[str, Any]:
    metadata = {"name": "squares", "finalizers": [FINALIZER, "example.com/other"]}
    workers = {"image": "example.com/worker:1", "app": "demo"}
    spec = {"sequence": {"count": 3}, "template": {"task": "numbers.square"}, "workers": workers}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def account(home: Kubectl, team: Kubectl, folder: Path) -> str:
    """Path of a kubeconfig of the hook's account, the operator's, made with its rights as Helm would make them."""
    values = {"crds": {"install": False}, "watchNamespaces": [team.namespace]}
    manifests = of_kind(render(values, home.namespace), "ServiceAccount", "Role", "RoleBinding")
    for manifest in (m for m in manifests if m["metadata"]["name"] in (FULLNAME, HOOK)):
        kubectl = Kubectl(manifest["metadata"].get("namespace", home.namespace))
        assert kubectl.create(manifest) == ""
    config = yaml.safe_load(Path(home.kubeconfig).read_text(encoding="utf-8"))
    config["users"] = [
        {"name": user["name"], "user": {"token": home("create", "token", FULLNAME).stdout.strip()}}
        for user in config["users"]
    ]
    name = f"system:serviceaccount:{home.namespace}:{FULLNAME}"
    eventually(lambda: may_stop_workers(home, name) and may_stop_workers(team, name))
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def may_stop_workers(kubectl: Kubectl, user: str) -> bool:
    """Rights count a moment after they were made."""
    return kubectl("auth", "can-i", "patch", f"deployments/{FULLNAME}", f"--as={user}").stdout == "yes\n"


async def test_all_is_stopped_and_freed_with_the_rights_of_the_hook(
    home: Kubectl, team: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = account(home, team, tmp_path)
    monkeypatch.setattr(command, "connect", lambda: connect(path))
    out = io.StringIO()
    await command.uninstall(FULLNAME, home.namespace, [team.namespace], out)
    assert home.get("deployment", FULLNAME)["spec"]["replicas"] == 0, out.getvalue()
    assert team.get("deployment", WORKERS)["spec"]["replicas"] == 0, out.getvalue()
    assert team.get("taskgroup", "squares")["metadata"]["finalizers"] == ["example.com/other"], out.getvalue()
    assert "Scaled 1 worker Deployments to 0.\nRemoved the finalizer of 1 TaskGroups.\n" in out.getvalue()


async def test_the_rights_end_at_the_watched_namespaces(
    home: Kubectl, team: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = account(home, team, tmp_path)
    monkeypatch.setattr(command, "connect", lambda: connect(path))
    with pytest.raises(ForbiddenError, match="deployments"):
        await command.uninstall(FULLNAME, home.namespace, ["default"], io.StringIO())
    assert team.get("taskgroup", "squares")["metadata"]["finalizers"] == [FINALIZER, "example.com/other"]


def test_an_uninstall_that_fails_leaves_no_right_behind(home: Kubectl) -> None:
    """Where the hook's Job is refused, Helm ends at once and removes nothing of what it made for the Job."""
    home("delete", "deployment", FULLNAME)
    place = ("--namespace", home.namespace)
    # A name of its own: what reaches beyond the namespace is told apart by it.
    values = {"crds": {"install": False}, "redis": {"enabled": False}, "nameOverride": home.namespace}
    helm("install", RELEASE, str(CHART), *place, values=values, kubeconfig=kubeconfig())
    before = _rights(home)
    assert before
    done = home("create", "quota", "no-jobs", "--hard=count/jobs.batch=0")
    assert done.returncode == 0, done.stderr
    eventually(lambda: "status" in home.get("quota", "no-jobs") and home.get("quota", "no-jobs")["status"].get("hard"))

    with pytest.raises(HelmError, match="exceeded quota"):
        helm("uninstall", RELEASE, *place, kubeconfig=kubeconfig())

    left = _rights(home) - before
    assert {entry for entry in left if not entry.startswith("role")} == set(), "it reaches beyond the namespace"
    for entry in (entry for entry in left if entry.startswith("role.")):
        rules = home.get(*entry.split("/"))["rules"]
        assert [(rule["resources"], rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
            (["deployments"], ["get", "patch"], [f"{RELEASE}-{home.namespace}"]),
            (["pods"], ["list"], None),
        ]
    helm("uninstall", RELEASE, "--no-hooks", *place, kubeconfig=kubeconfig())


def _rights(home: Kubectl) -> set[str]:
    """Every account, role and binding of the release, as kubectl names them."""
    kinds = "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts"
    return {
        name for name in home("get", kinds, "--output", "name").stdout.split() if f"{RELEASE}-{home.namespace}" in name
    }
