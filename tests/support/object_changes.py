"""How often objects are written, told by a watch: each version is one write that the API server took."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.task_groups import Bench


@contextmanager
def changes(bench: Bench, kind: str, name: str = "") -> Iterator[Callable[[], int]]:
    """How many versions of an object there have been since, of one that need not exist yet; without a name, of all."""
    path = bench.folder / f"{kind}-changes"
    command = ["kubectl", "--kubeconfig", bench.kubectl.kubeconfig, "--namespace", bench.kubectl.namespace, "get", kind]
    command += ["--watch-only", *([f"--field-selector=metadata.name={name}"] if name else []), "--output=name"]
    with path.open("wb") as output, subprocess.Popen(command, stdout=output) as process:
        try:
            yield lambda: len(path.read_text().splitlines())
        finally:
            process.terminate()
