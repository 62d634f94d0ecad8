"""The chart takes the values of the examples for Argo CD and Flux, and what they say about it holds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.helm import Manifest, of_kind, render

FOLDER = Path(__file__).parents[2] / "docs/gitops"
REGISTRY = "registry.example.com/team"


def values(name: str, *path: str) -> dict[str, Any]:
    """The chart's values in the one object of a file that has them there."""
    for document in yaml.safe_load_all((FOLDER / name).read_text()):
        found: Any = document
        for key in path:
            found = found.get(key, {})
        if found:
            return dict(found)
    raise AssertionError(f"{name} has no values at {'.'.join(path)}")


def argo_cd() -> dict[str, Any]:
    return values("argocd-operator.yaml", "spec", "source", "helm", "valuesObject")


@pytest.mark.parametrize("given", [argo_cd(), values("flux-operator.yaml", "spec", "values")], ids=["argocd", "flux"])
def test_the_chart_takes_the_values(given: dict[str, Any]) -> None:
    (deployment,) = of_kind(render(given), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{REGISTRY}/")


def test_without_a_cluster_two_renderings_differ_by_the_password_alone() -> None:
    assert render(argo_cd()) == render(argo_cd())
    generated = {**argo_cd(), "redis": {"password": ""}}
    first, second = render(generated), render(generated)
    differ = [one["kind"] for one, other in zip(first, second, strict=True) if one != other]
    assert differ == ["Secret"]


def test_what_argo_cd_shall_keep_says_so() -> None:
    kept = [manifest["kind"] for manifest in render(argo_cd()) if _is_kept(manifest)]
    assert sorted(kept) == ["CustomResourceDefinition", "CustomResourceDefinition", "Secret"]


def _is_kept(manifest: Manifest) -> bool:
    annotations: dict[str, str] = manifest["metadata"].get("annotations", {})
    return annotations.get("helm.sh/resource-policy") == "keep"
