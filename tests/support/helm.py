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
    """Standard output of one call; `values` go in as a values file. Without a kubeconfig no cluster is ever reached."""
    command = [os.environ.get("HELM", "helm"), *arguments]
    if values is not None:
        command += ["--values", "-"]
    done = subprocess.run(
        command,
        input=yaml.safe_dump(values) if values is not None else None,
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:
        raise HelmError(done.stdout + done.stderr)
    return done.stdout


def render(values: dict[str, Any] | None = None, namespace: str = NAMESPACE) -> list[Manifest]:
    """Every object of the chart, hooks too, for the release `demo`; no cluster is asked."""
    text = helm("template", RELEASE, str(CHART), "--namespace", namespace, values=values or {})
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The object of that kind and name; AssertionError names what there is instead."""
    found = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    assert len(found) == 1, f"no single {kind} {name} in {[(m['kind'], m['metadata']['name']) for m in manifests]}"
    return found[0]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def pod_template(manifest: Manifest) -> Manifest:
    """The pod that an object makes, as `{metadata, spec}`."""
    pod = manifest if manifest["kind"] == "Pod" else manifest["spec"]["template"]
    return {"metadata": pod["metadata"], "spec": pod["spec"]}
