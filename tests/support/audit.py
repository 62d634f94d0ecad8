"""What an account asked of the API server, from the server's own audit log, and what its roles let it ask."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from support.helm import Manifest


class Right(NamedTuple):
    """One verb on one resource; `resource` has its subresource after a slash."""

    group: str
    resource: str
    verb: str


UNUSED = {
    Right("apps", "deployments", "create"): "server-side apply makes the object with it; the log calls that patch",
    Right("", "pods", "create"): "only for groups whose items are read by a pod",
    Right("", "pods", "delete"): "only for a worker that an outage has left deaf, and in a namespace that goes",
}
"""What the log need not show, each with the reason why it is given."""


def granted(roles: Sequence[Manifest]) -> set[Right]:
    """Every right of these Roles and ClusterRoles."""
    return {
        Right(group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def not_for_people(roles: Sequence[Manifest]) -> list[Manifest]:
    """Without those that are added to the roles of people, and the one for who scrapes."""
    return [
        role
        for role in roles
        if "rbac.authorization.k8s.io" not in str(role["metadata"]["labels"])
        and "-metrics-reader" not in role["metadata"]["name"]
    ]


def asked(kubeconfig: str, account: str) -> tuple[set[Right], set[Right]]:
    """What the account was allowed, and what it was refused."""
    allowed, refused = set[Right](), set[Right]()
    for entry in _entries(kubeconfig, account):
        reference = entry["objectRef"]
        parts = [reference["resource"], *([reference["subresource"]] if "subresource" in reference else [])]
        right = Right(reference.get("apiGroup", ""), "/".join(parts), entry["verb"])
        decision = entry.get("annotations", {}).get("authorization.k8s.io/decision")
        (allowed if decision == "allow" else refused).add(right)
    return allowed, refused


def _entries(kubeconfig: str, account: str) -> Iterator[dict[str, Any]]:
    """Of requests for objects; what the server serves beside them needs no right that a chart gives."""
    path = Path(kubeconfig).parent / "log/audit.log"
    assert path.exists(), "the API server keeps no audit log: start the local cluster anew"
    with path.open(encoding="utf-8") as lines:
        # The last one may be half written.
        for line in (line for line in lines if line.endswith("\n")):
            if account in line and (entry := json.loads(line))["user"]["username"] == account and "objectRef" in entry:
                yield entry
