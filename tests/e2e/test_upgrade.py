"""The chart before it had metrics, upgraded to the present one and rolled back, all beside a running group.

What is tried is the chart: whatever it is, it runs the operator that was built from this repository.
"""

from pathlib import Path

import pytest

from support.groups import holding
from support.helm import CHART
from support.kube import LEDGERS, Kube
from support.release import FULLNAME, LIMIT, RELEASE, install, left, run, uninstall
from support.space import SYSTEM, Space
from taskgroup.api.names import FINALIZER

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

BEFORE = Path(__file__).parent / "charts/before-metrics.tgz"
SWITCHES = "podDisruptionBudget.enabled=true,networkPolicy.enabled=true,redis.exporter.enabled=false"
ADDED = {
    f"service/{FULLNAME}-metrics",
    f"poddisruptionbudget.policy/{FULLNAME}",
    *(f"networkpolicy.networking.k8s.io/{FULLNAME}{part}" for part in ("", "-redis", "-workers")),
}
KEPT = {f"secret/{FULLNAME}-redis"}
"""Besides the definitions, whose objects the test reads."""


def upgrade(system: Kube) -> None:
    """As docs/operations.md says it."""
    options = ("--reset-then-reuse-values", "--set", SWITCHES, "--wait", *LIMIT)
    run(system, "helm", "upgrade", RELEASE, str(CHART), "--namespace", SYSTEM, *options)


@pytest.mark.usefixtures("restored")
def test_a_group_goes_on_through_an_upgrade_and_the_way_back(system: Kube, space: Space) -> None:
    install(system, chart=BEFORE)
    assert left(system) & ADDED == set()
    group = space.create(**holding(12))
    group.let_end(2)

    upgrade(system)
    assert left(system) >= ADDED
    group.let_end(2)

    run(system, "helm", "rollback", RELEASE, "--namespace", SYSTEM, "--wait", *LIMIT)
    assert left(system) & ADDED == set()
    group.let_end(2)

    upgrade(system)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == status["total"] == 12
    assert group.runs() == dict.fromkeys(range(12), 1)

    uninstall(system)
    system.until(lambda: left(system) == KEPT, state=lambda: left(system))
    stopped = space.kube.get("taskgroup", group.name)
    assert stopped["status"]["succeeded"] == 12
    assert FINALIZER not in stopped["metadata"].get("finalizers", ())
    assert space.kube.select(LEDGERS)
