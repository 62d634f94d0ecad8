"""Metrics as a careful installation serves them: over TLS to whose token may read them, and Redis' own by the sidecar.

A real Prometheus reads both, with what the chart's monitors would give it.
"""

import time
from collections.abc import Iterator
from functools import partial

import pytest
from dashboards.prometheus import Prometheus
from dashboards.substitution import Window

from support.authority import Authority
from support.boards import board, histories
from support.chart_targets import operator_targets
from support.kube import PODS, Kube
from support.prometheus_server import SCRAPE_SECONDS, Target, prometheus_server
from support.release import FULLNAME, install
from support.space import REDIS, SYSTEM, chart_redis
from support.wait import PATIENCE, eventually

# They install the chart with other values than all other tests have.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]

HOST = f"{FULLNAME}-metrics.{SYSTEM}.svc"
READER, STRANGER = "metrics-reader", "metrics-stranger"
CERTIFICATE = "metrics-tls"
SWITCHES = (
    f"metrics.secure.enabled=true,metrics.secure.certificateSecret={CERTIFICATE}",
    "redis.exporter.enabled=true,redis.exporter.image.repository=localhost/redis-exporter",
)
EXPORTER_PORT = 9121


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tokens(system: Kube, authority: Authority) -> Iterator[dict[str, str]]:
    """Of both accounts, while the chart is installed with these switches."""
    certificate, key = authority.sign("metrics", host=f"DNS:{HOST}")
    system.run("create", "secret", "tls", CERTIFICATE, f"--cert={certificate}", f"--key={key}")
    for name in (READER, STRANGER):
        system.run("create", "serviceaccount", name)
    role, account = f"--clusterrole={FULLNAME}-metrics-reader:{SYSTEM}", f"--serviceaccount={SYSTEM}:{READER}"
    system.run("create", "clusterrolebinding", READER, role, account)
    tag = ("--set-string", "redis.exporter.image.tag=1")
    try:
        install(system, *(part for switch in SWITCHES for part in ("--set", switch)), *tag)
        yield {name: system.run("create", "token", name).strip() for name in (READER, STRANGER)}
    finally:
        install(system)
        system.remove("clusterrolebinding", READER)
        system.remove("secret", CERTIFICATE)
        for name in (READER, STRANGER):
            system.remove("serviceaccount", name)


@pytest.fixture(scope="module")
def prometheus(
    system: Kube, authority: Authority, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """It reads the sidecar without a token, and the operator once for each account."""
    jobs = [secured(system, authority, name, token) for name, token in tokens.items()]
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus_server(folder, [sidecar(system)], jobs=jobs) as server:
        yield server


def secured(system: Kube, authority: Authority, account: str, token: str) -> dict[str, object]:
    """How this account reads the operator. The certificate names no address: the monitors give its name, too."""
    targets = [
        {"targets": [target.address], "labels": target.labels() | {"account": account}}
        for target in operator_targets(system)
    ]
    return {
        "job_name": account,
        "scheme": "https",
        "honor_labels": True,
        "authorization": {"credentials": token},
        "tls_config": {"ca_file": str(authority.certificate), "server_name": HOST},
        "static_configs": targets,
    }


def sidecar(system: Kube) -> Target:
    """The exporter in the pod of the chart's Redis."""
    pod = system.select(PODS, REDIS)[0]
    address = f"{pod['status']['podIP']}:{EXPORTER_PORT}"
    return Target(address, f"{FULLNAME}-redis-metrics", SYSTEM, pod["metadata"]["name"], "exporter")


def until_seen(prometheus: Prometheus, expression: str) -> None:
    def seen() -> bool:
        return bool(prometheus.at(expression, time.time()))

    eventually(seen, state=partial(str, expression))


def test_the_operator_is_read_over_tls_by_who_may_and_by_nobody_else(prometheus: Prometheus) -> None:
    until_seen(prometheus, f'up{{account="{READER}"}} == 1')
    until_seen(prometheus, f'up{{account="{STRANGER}"}} == 0')
    until_seen(prometheus, f'taskgroup_leader{{account="{READER}", namespace="{SYSTEM}"}} == 1')
    assert not prometheus.at(f'taskgroup_leader{{account="{STRANGER}"}}', time.time())


def test_the_sidecar_fills_the_panels_of_redis(system: Kube, prometheus: Prometheus) -> None:
    with chart_redis(system) as redis:
        redis.set("probe:metrics", "a database without keys has no figures", ex=PATIENCE)
    until_seen(prometheus, "count_over_time(redis_up[1m]) > 10")
    now = time.time()
    shown = board("redis", prometheus, Window(now - 10, now, 2 * SCRAPE_SECONDS), job=f"{FULLNAME}-redis-metrics")
    assert [panel.title for panel, _, series in histories(shown) if not series] == []
    assert shown.figure("Up") == 1
