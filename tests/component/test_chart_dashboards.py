"""The ConfigMaps that bring the dashboards to Grafana's sidecar."""

import json
from typing import Any

from dashboards.collection import rendered

from support.helm import NAMESPACE, Manifest, of_kind, render

DASHBOARDS = {path.name: text for path, text in rendered().items()}


def config_maps(**dashboards: Any) -> list[Manifest]:
    manifests = render({"crds": {"install": False}, "dashboards": dashboards})
    return [manifest for manifest in of_kind(manifests, "ConfigMap") if "-dashboard-" in manifest["metadata"]["name"]]


def test_they_are_only_made_when_asked_for() -> None:
    assert not config_maps()


def test_each_holds_one_dashboard_exactly_as_it_was_generated() -> None:
    found = {name: text for made in config_maps(enabled=True) for name, text in made["data"].items()}
    assert found == DASHBOARDS
    assert "{{taskgroup}}" in found["overview.json"]
    assert all(json.loads(text)["uid"] for text in found.values())


def test_the_sidecar_finds_them_and_puts_them_into_a_folder() -> None:
    for made in config_maps(enabled=True):
        assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert made["metadata"]["annotations"] == {"grafana_folder": "TaskGroup"}
        assert made["metadata"]["namespace"] == NAMESPACE


def test_label_folder_and_namespace_are_those_of_the_values() -> None:
    chosen = config_maps(
        enabled=True,
        label="team/board",
        labelValue="yes",
        folder="",
        labels={"owner": "a"},
        annotations={"note": "x"},
        namespace="monitoring",
    )
    for made in chosen:
        assert made["metadata"]["labels"].items() >= {"team/board": "yes", "owner": "a"}.items()
        assert (made["metadata"]["annotations"], made["metadata"]["namespace"]) == ({"note": "x"}, "monitoring")
