"""The demo: applies every manifest of examples/, shows the progress of the groups, and prints their outcome.

It uses kubectl and `python -m taskgroup results`, so that users can repeat its commands.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from demo.story import finished, progress, story

NAMESPACE = "taskgroup-demo"
EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN_RESULTS = 4
POLL_SECONDS = 0.5
# Time for the pull of an image.
STALL_SECONDS = 300

Object = dict[str, Any]


class Cluster:
    """kubectl and the results command, for one cluster and namespace."""

    def __init__(self, context: str | None) -> None:
        self._context = ["--context", context] if context else []

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl and return its standard output. Ends the demo with kubectl's message when it fails."""
        return _output(["kubectl", *self._context, "--namespace", NAMESPACE, *arguments], given)

    def groups(self, names: Sequence[str]) -> dict[str, Object]:
        """The named TaskGroups that exist, by name."""
        groups = json.loads(self.kubectl("get", "taskgroups", "--output", "json"))["items"]
        return {group["metadata"]["name"]: group for group in groups if group["metadata"]["name"] in names}

    def results(self, name: str) -> list[Object]:
        """One object per item, in index order."""
        command = [sys.executable, "-m", "taskgroup", "results", name, "--namespace", NAMESPACE, *self._context]
        return [json.loads(line) for line in _output(command).splitlines()]


def _output(command: list[str], given: str | None = None) -> str:
    process = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if process.returncode:
        sys.exit(f"demo: {process.stderr.strip() or f'{command[0]} failed.'}")
    return process.stdout


def manifests(worker_image: str | None) -> list[Object]:
    """Return what examples/ has, with this worker image if there is one, and print what each TaskGroup shows."""
    found = []
    for path in sorted(EXAMPLES.glob("*.yaml")):
        text = path.read_text()
        *others, group = yaml.safe_load_all(text)
        group["metadata"].pop("namespace", None)
        if worker_image:
            group["spec"]["workers"]["image"] = worker_image
        print(f"  {group['metadata']['name']}: {text.splitlines()[0].removeprefix('# ')}")
        found += [*others, group]
    return found


def apply(cluster: Cluster, objects: list[Object], names: list[str]) -> None:
    """Delete the groups of an earlier run, since a group runs once, and create the new ones."""
    cluster.kubectl("delete", "taskgroups", "--ignore-not-found", "--timeout=120s", *names)
    whole = {"apiVersion": "v1", "kind": "List", "items": objects}
    cluster.kubectl("apply", "--filename", "-", given=json.dumps(whole))


def follow(cluster: Cluster, names: list[str]) -> dict[str, Object]:
    """Show the progress until all groups have ended, and return them.

    Ends the demo when nothing has changed for STALL_SECONDS.
    """
    line, changed_at = "", time.monotonic()
    while True:
        groups = cluster.groups(names)
        line, before = progress(groups), line
        if line != before:
            changed_at = time.monotonic()
            _show(line, len(before))
        if len(groups) == len(names) and all(map(finished, groups.values())):
            _show("", 0)
            return groups
        if time.monotonic() - changed_at > STALL_SECONDS:
            sys.exit(f"\ndemo: nothing has changed for {STALL_SECONDS} s; kubectl -n {NAMESPACE} describe tg says why.")
        time.sleep(POLL_SECONDS)


def _show(line: str, width: int) -> None:
    """Print a line; on a terminal it replaces the line before, and an empty one ends that line."""
    if not sys.stdout.isatty():
        print(line, flush=True)
    elif line:
        print(f"\r{line.ljust(width)}", end="", flush=True)
    else:
        print(flush=True)


def main() -> None:
    """Run the examples; exit code 1 when one of them does not end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", help="context in your kubeconfig; without it KUBECONFIG's current one")
    parser.add_argument("--worker-image", help="image that replaces the one in the examples")
    options = parser.parse_args()
    print(f"applying the examples in the namespace {NAMESPACE} …")
    cluster, objects = Cluster(options.context), manifests(options.worker_image)
    names = [found["metadata"]["name"] for found in objects if found["kind"] == "TaskGroup"]
    apply(cluster, objects, names)
    for name, group in follow(cluster, names).items():
        print(story(name, group, cluster.results(name), SHOWN_RESULTS))
    print(f"\n$ kubectl --namespace {NAMESPACE} get taskgroups\n{cluster.kubectl('get', 'taskgroups')}", end="")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(f"\ndemo: interrupted; the groups go on: kubectl --namespace {NAMESPACE} get taskgroups")
