"""How often objects are written, told by a watch: each version is one write that the API server took."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.task_groups import Bench
from support.wait import eventually


@contextmanager
def changes(bench: Bench, kind: str, name: str = "") -> Iterator[Callable[[], int]]:
    """How many versions of an object there have been since, of one that need not exist yet; without a name, of all."""
    path, log = bench.folder / f"{kind}-changes", bench.folder / f"{kind}-watch"
    command = ["kubectl", "--kubeconfig", bench.kubectl.kubeconfig, "--namespace", bench.kubectl.namespace, "get", kind]
    command += ["--watch-only", *([f"--field-selector=metadata.name={name}"] if name else []), "--output=name", "--v=6"]
    with (
        path.open("wb") as output,
        log.open("wb") as errors,
        subprocess.Popen(command, stdout=output, stderr=errors) as process,
    ):
        try:
            eventually(lambda: _has_begun(log.read_text()), state=log.read_text)
            yield lambda: len(path.read_text().splitlines())
        finally:
            process.terminate()


def _has_begun(said: str) -> bool:
    """Whether the API server has answered the watch."""
    return any("watch=true" in line and "200 OK" in line for line in said.splitlines())
