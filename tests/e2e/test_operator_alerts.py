"""The alerts that nobody may sleep through, by a real Prometheus with the chart's rules: no leader, and no operator."""

import time
from collections.abc import Iterator
from functools import partial

import pytest
from dashboards.prometheus import Prometheus

from support.chart_targets import operator_targets
from support.kube import Kube
from support.prometheus_server import prometheus_server
from support.quick_rules import firing, quick_rules
from support.release import FULLNAME
from support.wait import PATIENCE, eventually

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]

LEADS = "taskgroup_leader == 1"


@pytest.fixture
def prometheus(system: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has seen the operator lead."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = quick_rules(folder / "rules", {system.namespace: 1})
    with prometheus_server(folder, operator_targets(system), rules=rules) as server:
        until_seen(server, LEADS)
        yield server


def until_seen(prometheus: Prometheus, expression: str) -> None:
    def seen() -> bool:
        return bool(prometheus.at(expression, time.time()))

    eventually(seen, state=partial(str, expression))


def test_an_operator_that_may_not_lead_is_told(system: Kube, prometheus: Prometheus) -> None:
    """Somebody else holds the Lease: it gives up, and its next process stands by."""
    until_seen(prometheus, f"absent({firing('TaskGroupOperatorWithoutLeader')})")
    system.patch("lease", FULLNAME, {"spec": {"holderIdentity": "somebody-else"}})
    try:
        until_seen(prometheus, firing("TaskGroupOperatorWithoutLeader", namespace=system.namespace))
    finally:
        system.patch("lease", FULLNAME, {"spec": {"holderIdentity": ""}})
    until_seen(prometheus, LEADS)
    until_seen(prometheus, f"absent({firing('TaskGroupOperatorWithoutLeader')})")


def test_an_operator_that_is_gone_is_told(system: Kube, prometheus: Prometheus) -> None:
    """It was told before Prometheus had first seen one, too."""
    until_seen(prometheus, f"absent({firing('TaskGroupOperatorDown')})")
    system.run("scale", f"deployment/{FULLNAME}", "--replicas=0")
    try:
        until_seen(prometheus, firing("TaskGroupOperatorDown", namespace=system.namespace))
    finally:
        system.run("scale", f"deployment/{FULLNAME}", "--replicas=1")
        system.run("rollout", "status", f"deployment/{FULLNAME}", f"--timeout={PATIENCE}s")
