"""The demo: applies some examples, or those that are named, shows the progress of the groups, and prints their outcome.

It uses kubectl and `python -m taskgroup results`, so that users can repeat its commands.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from demo.manifests import Example, Object, chosen, example, server
from demo.story import finished, progress, story

NAMESPACE = "taskgroup-demo"
SHOWN_RESULTS = 4
POLL_SECONDS = 0.5
# Time for the pull of an image.
STALL_SECONDS = 300


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


def apply(cluster: Cluster, examples: list[Example], worker_image: str | None) -> None:
    """Delete the groups of an earlier run, since a group runs once, start the servers, and create the groups."""
    cluster.kubectl("delete", "taskgroups", "--ignore-not-found", "--timeout=120s", *(each.name for each in examples))
    for name in sorted({name for each in examples for name in each.servers}):
        print(f"  starting the server {name} …", flush=True)
        _apply(cluster, server(name, worker_image))
        cluster.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={STALL_SECONDS}s")
    _apply(cluster, [each for found in examples for each in found.objects])


def _apply(cluster: Cluster, objects: list[Object]) -> None:
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
    parser.add_argument("examples", nargs="*", help="names of examples, or all; without any, a few")
    options = parser.parse_args()
    try:
        names = chosen(options.examples)
    except ValueError as error:
        sys.exit(f"demo: {error}.")
    cluster, examples = Cluster(options.context), [example(name, options.worker_image) for name in names]
    print(f"applying these examples in the namespace {NAMESPACE} …")
    for each in examples:
        print(f"  {each.name}: {each.about}")
    apply(cluster, examples, options.worker_image)
    for name, group in follow(cluster, names).items():
        print(story(name, group, cluster.results(name), SHOWN_RESULTS))
    print(f"\n$ kubectl --namespace {NAMESPACE} get taskgroups\n{cluster.kubectl('get', 'taskgroups')}", end="")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(f"\ndemo: interrupted; the groups go on: kubectl --namespace {NAMESPACE} get taskgroups")
