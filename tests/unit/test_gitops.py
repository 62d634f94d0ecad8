"""The examples for Argo CD and Flux name each other, the chart and the TaskGroup's kind as these are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskgroup.api.names import GROUP, KIND
from taskgroup.api.taskgroup import TaskGroup

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/gitops.md"
FOLDER = ROOT / "docs/gitops"
CHART: dict[str, Any] = yaml.safe_load((ROOT / "charts/taskgroup-operator/Chart.yaml").read_text())

API_VERSIONS = {
    "Application": "argoproj.io/v1alpha1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "Namespace": "v1",
    "OCIRepository": "source.toolkit.fluxcd.io/v1",
    "TaskGroup": "taskgroups.dev/v1alpha1",
}


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def one(name: str, kind: str, called: str) -> Any:
    (found,) = (each for each in objects(name) if (each["kind"], each["metadata"]["name"]) == (kind, called))
    return found


FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_of_a_known_version(name: str) -> None:
    found = {each["kind"]: each["apiVersion"] for each in objects(name)}
    assert found
    assert found.items() <= API_VERSIONS.items()


def test_every_file_is_explained() -> None:
    linked = set(re.findall(r"\]\(gitops/([^)]+)\)", PAGE.read_text()))
    assert linked == {path.name for path in FOLDER.iterdir()}


def test_the_health_script_is_registered_for_the_kind() -> None:
    assert f'"resource.customizations.health.{GROUP}_{KIND}"' in PAGE.read_text()


def test_every_taskgroup_can_be_run() -> None:
    groups = [each for name in FILES for each in objects(name) if each["kind"] == KIND]
    assert groups
    for group in groups:
        assert TaskGroup.model_validate({"spec": group["spec"]}, extra="forbid").spec.ttl_seconds_after_finished is None


@pytest.mark.parametrize(
    ("name", "called"), [("argocd-operator.yaml", "taskgroups"), ("argocd-taskgroups.yaml", "pictures")]
)
def test_argo_cd_applies_and_compares_on_the_servers_side(name: str, called: str) -> None:
    application = one(name, "Application", called)
    assert application["metadata"]["annotations"] == {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
    assert "ServerSideApply=true" in application["spec"]["syncPolicy"]["syncOptions"]


def test_argo_cd_finds_the_chart_in_git() -> None:
    source = one("argocd-operator.yaml", "Application", "taskgroups")["spec"]["source"]
    assert yaml.safe_load((ROOT / source["path"] / "Chart.yaml").read_text()) == CHART
    assert "releaseName" not in source["helm"], "the release has the Application's name"


def test_flux_takes_the_chart_by_its_name_and_version() -> None:
    release = one("flux-operator.yaml", "HelmRelease", "taskgroups")["spec"]
    repository = one("flux-operator.yaml", "OCIRepository", release["chartRef"]["name"])["spec"]
    assert repository["url"].endswith(f"/{CHART['name']}")
    assert repository["ref"]["semver"] == CHART["version"].rpartition(".")[0] + ".x"


def test_flux_waits_for_the_operator_and_then_for_the_groups() -> None:
    first, second = (each for each in objects("flux-taskgroups.yaml"))
    (check,) = first["spec"]["healthChecks"]
    release = one("flux-operator.yaml", check["kind"], check["name"])
    assert (release["apiVersion"], release["metadata"]["namespace"]) == (check["apiVersion"], check["namespace"])
    assert second["spec"]["dependsOn"] == [{"name": first["metadata"]["name"]}]
    assert second["spec"]["wait"] is True
