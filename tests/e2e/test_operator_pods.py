"""The operator's own pods on a whole cluster: replaced without a gap, and with no more rights than they use."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from support.audit import UNUSED, asked, granted, not_for_people
from support.groups import counting, holding
from support.kube import PODS, Kube
from support.release import FULLNAME, OPERATOR, RELEASE, install
from support.space import SYSTEM, Space
from support.wait import PATIENCE
from taskgroup.cluster.resources import LEASES

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

LEASE_SECONDS = 15
"""The chart's default; the Lease of all other tests is longer."""
GAP_SECONDS = LEASE_SECONDS + 2.0
"""What even a killed leader may cost."""
PAIR = ("--set", f"replicaCount=2,leaseSeconds={LEASE_SECONDS}")


def lease(system: Kube) -> dict[str, Any]:
    """What the Lease says of the leader."""
    spec: dict[str, Any] = system.read(LEASES, FULLNAME)["spec"]
    return spec


def longest_gap(system: Kube, done: Future[None], old: set[str]) -> float:
    """Seconds between two signs of life of whoever leads, until it is none of the old, by the times of the Lease.

    Helm has done its work when the new pods are ready; the last of the old may end after that.
    """
    signs: list[datetime] = []

    def is_done() -> bool:
        is_over, spec = done.done(), lease(system)
        if spec["holderIdentity"]:
            signs.append(datetime.fromisoformat(spec["renewTime"]))
        return is_over and spec["holderIdentity"] not in {"", *old}

    system.until(is_done, seconds=2 * PATIENCE, state=lambda: (old, lease(system)))
    return max((later - sign).total_seconds() for sign, later in pairwise(signs))


@pytest.mark.usefixtures("restored")
def test_a_rolling_upgrade_leaves_no_group_alone(system: Kube, space: Space) -> None:
    """First of one operator, to two; then of both."""
    group = space.create(**holding(12))
    group.let_end(2)
    install(system, *PAIR)
    group.let_end(2)
    system.until(lambda: lease(system)["leaseDurationSeconds"] == LEASE_SECONDS, state=lambda: lease(system))
    before = lease(system)["leaseTransitions"]
    old = {pod["metadata"]["name"] for pod in system.select(PODS, OPERATOR)}

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(install, system, *PAIR, "--set-string", "podAnnotations.round=second")
        gap = longest_gap(system, done, old)
        done.result()

    assert lease(system)["leaseTransitions"] > before
    assert gap <= GAP_SECONDS
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 12
    assert group.runs() == dict.fromkeys(range(12), 1)


def test_the_operator_uses_each_of_its_rights_and_was_refused_none_in_all_these_tests(
    system: Kube, space: Space
) -> None:
    """Over the life of this cluster, a group that outlives an operator and expires among it."""
    group = space.create(**counting(2), ttlSecondsAfterFinished=0)
    group.until_gone()

    account = f"system:serviceaccount:{SYSTEM}:{FULLNAME}"
    allowed, refused = asked(system.kubeconfig, account)
    assert refused == set(), "it asks for what it has no right to"
    assert granted(_roles(system)) - allowed - UNUSED.keys() == set(), "rights that nothing uses"


def _roles(system: Kube) -> list[dict[str, Any]]:
    """Those of the release that are bound to the operator, and not made for people."""
    roles: list[dict[str, Any]] = []
    for kind in ("roles", "clusterroles"):
        selector = f"app.kubernetes.io/instance={RELEASE}"
        roles += json.loads(system.run("get", kind, "--selector", selector, "--output", "json"))["items"]
    return not_for_people(roles)
