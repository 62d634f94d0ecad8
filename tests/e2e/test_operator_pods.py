"""The operator's own pods on a whole cluster: replaced without a gap, and with no more rights than they use."""

import json
import time
from typing import Any

import pytest

from support.audit import UNUSED, asked, granted, not_for_people
from support.groups import counting, holding
from support.kube import Kube
from support.space import SYSTEM, Space
from support.wait import PATIENCE
from taskgroup.cluster.resources import LEASES

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

OPERATOR = "taskgroup-taskgroup-operator"
GAP_SECONDS = 17.0
"""What a killed leader may cost with the chart's values, leaseSeconds + 2; the Lease of these tests is longer."""


def holder(system: Kube) -> str:
    """The pod that leads; empty while none does."""
    lease = system.find(LEASES, OPERATOR) or {"spec": {}}
    return str(lease["spec"].get("holderIdentity") or "")


def gap(system: Kube) -> float:
    """Seconds between the last look at which the present leader led and the first at which another one does."""
    first = holder(system)
    led = time.monotonic()
    assert first

    def leads_another() -> bool:
        nonlocal led
        now = holder(system)
        if now == first:
            led = time.monotonic()
        return now not in ("", first)

    system.until(leads_another, seconds=2 * PATIENCE, state=lambda: holder(system))
    return time.monotonic() - led


def test_a_rolling_upgrade_leaves_no_group_alone(system: Kube, space: Space) -> None:
    group = space.create(**holding(12))
    group.let_end(2)

    system.run("rollout", "restart", f"deployment/{OPERATOR}")
    assert gap(system) <= GAP_SECONDS
    system.run("rollout", "status", f"deployment/{OPERATOR}", f"--timeout={PATIENCE}s")

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

    account = f"system:serviceaccount:{SYSTEM}:{OPERATOR}"
    allowed, refused = asked(system.kubeconfig, account)
    assert refused == set(), "it asks for what it has no right to"
    assert granted(_roles(system)) - allowed - UNUSED.keys() == set(), "rights that nothing uses"


def _roles(system: Kube) -> list[dict[str, Any]]:
    """Those of the release that are bound to the operator, and not made for people."""
    roles: list[dict[str, Any]] = []
    for kind in ("roles", "clusterroles"):
        selector = "app.kubernetes.io/instance=taskgroup"
        roles += json.loads(system.run("get", kind, "--selector", selector, "--output", "json"))["items"]
    return not_for_people(roles)
