"""Helm as a user calls it, on the project's chart: the binary that HELM names, else the one on PATH."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.wait import COMMAND_SECONDS

CHART = Path(__file__).resolve().parents[2] / "charts/taskgroup-operator"
RELEASE = "demo"
FULLNAME = "demo-taskgroup-operator"
NAMESPACE = "apps"

Manifest = dict[str, Any]


class HelmError(Exception):
    """Helm refused; the text is what it printed."""


def helm(*arguments: str, values: dict[str, Any] | None = None, kubeconfig: str = os.devnull) -> str:
    """Run helm with a values file and return its standard output. Without `kubeconfig` no cluster can be reached."""
    command = [os.environ.get("HELM", "helm"), *arguments]
    if values is not None:
        command += ["--values", "-"]
    process = subprocess.run(
        command,
        input=yaml.safe_dump(values) if values is not None else None,
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if process.returncode:
        raise HelmError(process.stdout + process.stderr)
    return process.stdout


def render(values: dict[str, Any] | None = None, namespace: str = NAMESPACE) -> list[Manifest]:
    """All objects of the chart, with its hooks, for the release `demo`; rendered without a cluster."""
    text = helm("template", RELEASE, str(CHART), "--namespace", namespace, values=values or {})
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def notes(values: dict[str, Any]) -> str:
    """What Helm would print after an install with these values."""
    return helm("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client", values=values)


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The object of that kind and name; AssertionError with all objects when there is not exactly one."""
    matching = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    assert len(matching) == 1, f"no single {kind} {name} in {[(m['kind'], m['metadata']['name']) for m in manifests]}"
    return matching[0]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def pod_template(manifest: Manifest) -> Manifest:
    """The pod that an object makes, as `{metadata, spec}`."""
    pod = manifest if manifest["kind"] == "Pod" else manifest["spec"]["template"]
    return {"metadata": pod["metadata"], "spec": pod["spec"]}


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector, as the API has it, takes what has these labels. The chart uses no other operators."""
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] in ("In", "Exists"), rule
        if rule["key"] not in labels or labels[rule["key"]] not in rule.get("values", [labels[rule["key"]]]):
            return False
    given: dict[str, str] = selector.get("matchLabels", {})
    return given.items() <= labels.items()


def as_pod(manifest: Manifest) -> Manifest:
    """The pod of a workload, as its controller would create it, with the API server's default for a volume claim."""
    pod = pod_template(manifest)
    claims = [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    spec = {**pod["spec"], "volumes": [*pod["spec"].get("volumes", []), *volumes], "serviceAccountName": "default"}
    metadata = {"name": manifest["kind"].lower(), "labels": pod["metadata"].get("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
