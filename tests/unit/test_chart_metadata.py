"""What the chart tells Artifact Hub is what it installs: definitions, an example, images, the licence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/taskgroup-operator"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


METADATA = read(CHART / "Chart.yaml")
VALUES = read(CHART / "values.yaml")


def annotation(name: str) -> str:
    return str(METADATA["annotations"][f"artifacthub.io/{name}"])


def listed(name: str) -> list[dict[str, Any]]:
    """An annotation that holds a list as YAML."""
    found: list[dict[str, Any]] = yaml.safe_load(annotation(name))
    return found


def images(values: dict[str, Any]) -> Iterator[str]:
    """Every image that the values name, with the tag that is pulled."""
    for value in values.values():
        if isinstance(value, dict) and "repository" in value:
            yield f"{value['repository']}:{value['tag'] or METADATA['appVersion']}"
        elif isinstance(value, dict):
            yield from images(value)


def test_the_images_are_those_of_the_values() -> None:
    assert sorted(image["image"] for image in listed("images")) == sorted(images(VALUES))


def test_images_without_a_registry_are_not_to_be_scanned() -> None:
    assert {image["image"]: image.get("whitelisted", False) for image in listed("images")} == {
        image: "/" not in image for image in images(VALUES)
    }


def test_the_definitions_are_those_of_the_chart() -> None:
    assert {crd["name"]: (crd["kind"], crd["version"], crd["description"]) for crd in listed("crds")} == {
        one["metadata"]["name"]: (
            one["spec"]["names"]["kind"],
            version["name"],
            version["schema"]["openAPIV3Schema"]["description"],
        )
        for one in map(read, (CHART / "files/crds").glob("*.yaml"))
        for version in one["spec"]["versions"]
    }


def test_the_example_is_one_of_the_examples() -> None:
    (example,) = listed("crdsExamples")
    assert example == read(ROOT / f"examples/{example['metadata']['name']}.yaml")


def test_the_licence_is_the_projects() -> None:
    name, version = (line.strip() for line in (ROOT / "LICENSE").read_text().split("\n")[1:3])
    assert (name, version.split(",")[0]) == ("Apache License", "Version 2.0")
    assert annotation("license") == "Apache-2.0"


def test_artifact_hub_knows_the_category_and_the_level() -> None:
    """It drops words that it does not know without a message."""
    categories = "ai-machine-learning database integration-delivery monitoring-logging networking security storage"
    assert annotation("category") in (*categories.split(), "streaming-messaging", "skip-prediction")
    levels = ("Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot")
    assert annotation("operatorCapabilities") in levels
