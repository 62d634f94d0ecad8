"""kubectl on the API server that the component tests may write to, never on the user's own."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.wait import COMMAND_SECONDS, eventually

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def kubeconfig() -> str:
    """Path of the kubeconfig; AssertionError says how to get one."""
    path = os.environ.get("TASKGROUP_TEST_KUBECONFIG")
    assert path, "TASKGROUP_TEST_KUBECONFIG is not set: set it to what `tests/cluster/cluster up --light` prints."
    return path


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, namespace: str) -> None:
        """The namespace need not exist yet."""
        self.kubeconfig = kubeconfig()
        self.namespace = namespace

    def __call__(self, *arguments: str, given: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """One call, not checked; `given` is its standard input."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments]
        text = json.dumps(given) if given else None
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    def create(self, manifest: dict[str, Any], *options: str) -> str:
        """Create the object. Returns kubectl's standard error, which is empty on success."""
        return self("create", "--filename", "-", *options, given=manifest).stderr

    def get(self, kind: str, name: str) -> Any:
        """The object; AssertionError when there is none."""
        process = self("get", kind, name, "--output", "json")
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    def until_established(self, *definitions: str) -> None:
        """Wait until the API server serves the kinds, which are named as "crd/NAME".

        Asked again and again: kubectl ends with an error where a definition is so new that it has no conditions yet.
        """
        wait = ("wait", "--for=condition=Established", *definitions, "--timeout=10s")
        eventually(lambda: self(*wait).returncode == 0, state=lambda: self(*wait).stderr)


@contextmanager
def new_namespace() -> Iterator[Kubectl]:
    """A new namespace that admits only restricted pods. It is deleted at the end, without waiting.

    Pods are refused until it has the ServiceAccount that a controller makes, which may take a while: it is made here
    unless it is there already.
    """
    kubectl = Kubectl(f"chart-{uuid.uuid4().hex[:8]}")
    metadata = {"name": kubectl.namespace, "labels": RESTRICTED}
    assert kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}) == ""
    kubectl("create", "serviceaccount", "default")
    try:
        yield kubectl
    finally:
        kubectl("delete", "namespace", kubectl.namespace, "--wait=false")
