"""The probes tell the truth: of an operator that is stuck, has lost its Lease or reads nothing, or has just begun."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from support.kubectl import kubeconfig
from support.operator_account import account, remove, roles
from support.ports import free_port, is_free
from support.task_groups import running_bench
from support.wait import PATIENCE, eventually
from taskgroup.api.backend import TransportOptions
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.lease import Lease
from taskgroup.cluster.lease_thread import LeaseThread
from taskgroup.cluster.resources import LEASES
from taskgroup.connections.shared import Address, Connections, open_redis
from taskgroup.leadership import Leadership
from taskgroup.serve.health import Health, HealthServer, Role
from taskgroup.serve.metrics.server import MetricsServer

LEASE = "taskgroup-operator"
LEASE_SECONDS = 10.0
SILENT_SECONDS = 1.0
"""Who has not answered by then does not: the loop is held for minutes."""

Server = HealthServer | MetricsServer
Answer = tuple[int, str, str]
"""Status, what is broken, what is not ready; 0 when nobody answers."""


async def probe(port: int, path: str, seconds: float = PATIENCE) -> Answer:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(seconds)) as session,
            session.get(f"http://127.0.0.1:{port}/{path}") as answer,
        ):
            told: dict[str, Any] = await answer.json()
            return answer.status, told["broken"], told["unready"]
    except (OSError, TimeoutError, aiohttp.ClientError):
        return 0, "", ""


async def led(namespace: str, work: Callable[[Leadership, int], Awaitable[None]]) -> None:
    """Lead and serve the probes as the operator does, with this work instead of its loops."""
    port = free_port()

    def lease(cluster: Cluster) -> Lease:
        return Lease(cluster, namespace, LEASE, "a", LEASE_SECONDS)

    async def lead(leadership: Leadership) -> None:
        leadership.serving.set()
        await work(leadership, port)

    leadership = Leadership(LeaseThread(kubeconfig(), lease, LEASE_SECONDS))
    async with HealthServer("127.0.0.1", port, leadership.health):
        await leadership.run(lead)


async def test_who_has_lost_the_lease_is_not_live_until_its_end(cluster: Cluster, namespace: str) -> None:
    answers = list[Answer]()

    async def work(leadership: Leadership, port: int) -> None:
        answers.append(await probe(port, "healthz"))
        await cluster.merge_patch(LEASES, namespace, LEASE, {"spec": {"holderIdentity": "b"}})
        await leadership.stop.wait()
        answers.append(await probe(port, "healthz"))

    with pytest.raises(RuntimeError) as loss:
        await asyncio.wait_for(led(namespace, work), PATIENCE)
    assert answers == [(200, "", ""), (500, str(loss.value), "The process is ending.")]


async def test_an_operator_whose_sweep_has_ended_is_not_live(namespace: str, redis_url: str) -> None:
    answers, connections = list[Answer](), Connections(open_redis)

    async def work(leadership: Leadership, port: int) -> None:
        leadership.checks.append(connections.check)
        connection = connections.use(Address(redis_url, redis_url, TransportOptions(), TransportOptions()), "u")
        answers.append(await probe(port, "healthz"))
        connection.sweeping.cancel()
        await asyncio.wait([connection.sweeping])
        answers.append(await probe(port, "healthz"))

    await asyncio.wait_for(led(namespace, work), PATIENCE)
    await connections.close()
    assert answers[0] == (200, "", "")
    assert answers[1][0] == 500
    assert answers[1][1].endswith("has ended")


STUCK = """
import asyncio, sys, time
from taskgroup.serve.health import Health, HealthServer, Role

async def main(port):
    async with HealthServer("127.0.0.1", port, lambda: Health(Role.LEADER)):
        await asyncio.to_thread(sys.stdin.readline)
        print("stuck", flush=True)
        time.sleep(600)

asyncio.run(main(int(sys.argv[1])))
"""


def test_an_event_loop_that_is_stuck_does_not_answer() -> None:
    port = free_port()
    command = [sys.executable, "-c", STUCK, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            eventually(lambda: asyncio.run(probe(port, "healthz")) == (200, "", ""))
            print(file=process.stdin, flush=True)
            assert process.stdout.readline() == "stuck\n"
            assert asyncio.run(probe(port, "healthz", SILENT_SECONDS)) == (0, "", "")
        finally:
            process.kill()


OTHER = "127.0.0.2"
"""Also this machine, where a server for all addresses answers."""


@pytest.mark.parametrize(
    "server",
    [
        lambda address, port: HealthServer(address, port, lambda: Health(Role.STANDBY)),
        lambda address, port: MetricsServer(address, port, CollectorRegistry()),
    ],
    ids=["health", "metrics"],
)
async def test_an_address_of_the_values_is_the_only_one_that_answers(server: Callable[[str, int], Server]) -> None:
    port = free_port()
    async with server("127.0.0.1", port):
        assert (is_free(port), is_free(port, OTHER)) == (False, True)
    async with server("", port):
        assert (is_free(port), is_free(port, OTHER)) == (False, False)


def test_a_leader_is_not_ready_before_it_has_listed_the_workers(tmp_path: Path) -> None:
    """A rollout must not take the old operator away for one that sees no workers."""

    def ready() -> Answer:
        return asyncio.run(probe(bench.operator.port, "readyz"))

    with running_bench(tmp_path, account=lambda kubectl, folder: account(kubectl, folder, without="pods")) as bench:
        try:
            waiting = (503, "", "The pods of workers have not been listed.")
            eventually(lambda: ready() == waiting, state=lambda: f"{ready()}\n{bench.operator.log[-3000:]}")
            for role in roles(bench.kubectl.namespace):
                assert bench.kubectl("replace", "--filename", "-", given=role).returncode == 0
            eventually(lambda: ready() == (200, "", ""), state=lambda: f"{ready()}\n{bench.operator.log[-3000:]}")
        finally:
            remove(bench.kubectl)
