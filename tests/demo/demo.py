"""The demo: applies every manifest of examples/, follows the groups to their end, and tells the outcome in words.

It speaks to the cluster as a person would, by kubectl and `python -m taskgroup results`, so that what it shows can be
typed in by hand.
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
# Long enough for an image to be pulled from afar.
PATIENCE_SECONDS = 300

Object = dict[str, Any]


class Cluster:
    """kubectl and the results command, pointed at one cluster and namespace."""

    def __init__(self, context: str | None) -> None:
        self._context = ["--context", context] if context else []

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Standard output; ends the demo with kubectl's own sentence when it refuses."""
        return _output(["kubectl", *self._context, "--namespace", NAMESPACE, *arguments], given)

    def groups(self, names: Sequence[str]) -> dict[str, Object]:
        """The named TaskGroups as they are now."""
        found = json.loads(self.kubectl("get", "taskgroups", "--output", "json"))["items"]
        return {group["metadata"]["name"]: group for group in found if group["metadata"]["name"] in names}

    def results(self, name: str) -> list[Object]:
        """One object per item, in index order."""
        command = [sys.executable, "-m", "taskgroup", "results", name, "--namespace", NAMESPACE, *self._context]
        return [json.loads(line) for line in _output(command).splitlines()]


def _output(command: list[str], given: str | None = None) -> str:
    done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"demo: {done.stderr.strip() or f'{command[0]} failed.'}")
    return done.stdout


def manifests(worker_image: str | None) -> list[Object]:
    """The TaskGroups of examples/, with another worker image when one is named; tells what each is about."""
    groups = []
    for path in sorted(EXAMPLES.glob("*.yaml")):
        text = path.read_text()
        group = yaml.safe_load(text)
        group["metadata"].pop("namespace", None)
        if worker_image:
            group["spec"]["workers"]["image"] = worker_image
        print(f"  {group['metadata']['name']}: {text.splitlines()[0].removeprefix('# ')}")
        groups.append(group)
    return groups


def apply(cluster: Cluster, groups: list[Object]) -> None:
    """Start anew: groups of an earlier run go first, for a group runs once."""
    names = [group["metadata"]["name"] for group in groups]
    cluster.kubectl("delete", "taskgroups", "--ignore-not-found", "--timeout=120s", *names)
    cluster.kubectl("apply", "--filename", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": groups}))


def follow(cluster: Cluster, names: list[str]) -> dict[str, Object]:
    """One line of progress until every group has ended, or nothing has moved for PATIENCE_SECONDS."""
    line, moved = "", time.monotonic()
    while True:
        groups = cluster.groups(names)
        line, before = progress(groups), line
        if line != before:
            moved = time.monotonic()
            _show(line, len(before))
        if len(groups) == len(names) and all(map(finished, groups.values())):
            _show("", 0)
            return groups
        if time.monotonic() - moved > PATIENCE_SECONDS:
            sys.exit(
                f"\ndemo: nothing has moved for {PATIENCE_SECONDS} s; kubectl -n {NAMESPACE} describe tg says why."
            )
        time.sleep(POLL_SECONDS)


def _show(line: str, width: int) -> None:
    """On a terminal each line replaces the one before; an empty one ends the line."""
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
    cluster, groups = Cluster(options.context), manifests(options.worker_image)
    names = [group["metadata"]["name"] for group in groups]
    apply(cluster, groups)
    for name, group in follow(cluster, names).items():
        print(story(name, group, cluster.results(name), SHOWN_RESULTS))
    print(f"\n$ kubectl --namespace {NAMESPACE} get taskgroups\n{cluster.kubectl('get', 'taskgroups')}", end="")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(f"\ndemo: interrupted; the groups go on: kubectl --namespace {NAMESPACE} get taskgroups")
