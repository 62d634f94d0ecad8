"""Which servers the operator dials: of one that is not allowed it accepts no connection, whatever the URL calls it."""

from collections.abc import Iterator

import pytest
import redis

from support.task_groups import Bench, running_bench
from taskgroup.api.names import Reason

NAMES = {"address": "127.0.0.1", "name": "redis.localhost", "mapped": "[::ffff:127.0.0.1]", "local": "localhost"}
"""The same server: by its address, by a name that the resolver has to resolve, and by others of its addresses."""
NOOP = {"task": "demo.noop"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def connections(client: "redis.Redis") -> int:
    """How many connections the server has accepted; the client's own is one of them."""
    return int(client.info("stats")["total_connections_received"])


def apply(bench: Bench, name: str, host: str) -> None:
    url = bench.server.url.replace("127.0.0.1", host)
    made = bench.kubectl("create", "secret", "generic", name, f"--from-literal=url={url}")
    assert made.returncode == 0, made.stderr
    bench.apply(name, items=[1, 2], template=NOOP, broker={"secretKeyRef": {"name": name}})


def allow(bench: Bench, servers: str) -> None:
    bench.operator.stop()
    bench.operator.settings["TASKGROUP_BROKERS_ALLOWED"] = servers
    bench.operator.start()


@pytest.mark.parametrize("servers", ["", "*", "10.0.0.0/8,*.localhost"], ids=["default", "every name", "that name"])
def test_a_server_that_is_not_allowed_is_not_dialled_until_it_is(bench: Bench, servers: str) -> None:
    """A tenant's URL could reach what listens beside the operator, and nothing else can reach."""
    bench.clear()
    bench.kubectl("delete", "secret", *NAMES, "--ignore-not-found")
    allow(bench, servers)
    with bench.redis() as client:
        before = connections(client)
        for name, host in NAMES.items():
            apply(bench, name, host)
        for name in NAMES:
            bench.until_reason(name, "BackendReachable", Reason.SERVER_NOT_ALLOWED)
        refused = connections(client)

        assert refused == before
        assert "127.0.0.1" not in bench.condition("name", "BackendReachable")["message"], "what a name leads to"

        allow(bench, "127.0.0.0/8")
        for name in NAMES:
            bench.until(name, lambda status: status.get("active") == 2)
        assert connections(client) > refused
