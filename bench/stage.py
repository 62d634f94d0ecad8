"""The environment of the benchmarks: one Redis, and the operator as a process on a real API server."""

import asyncio
import os
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import cpu_seconds

from support.crd.server import TaskGroups
from support.operator_process import OperatorProcess
from support.redis_server import RedisServer, redis_server
from support.wait import eventually_async
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import NAMESPACES, SECRETS, TASK_GROUPS
from taskgroup.cluster.watching import Watcher

_CLUSTER = str(Path(__file__).parents[1] / "tests/cluster/cluster")
_BROKER = "redis"
_TIMEOUT_SECONDS = 300.0
_LONG_SECONDS = 1200.0
"""For a thousand groups on a slow machine."""
_POLL_SECONDS = 0.05
_MAX_REQUESTS = 20

Object = dict[str, Any]


class Statuses:
    """The status of each TaskGroup, as a watch tells it: to list them again and again would be a load of its own."""

    def __init__(self) -> None:
        self.by_name: dict[str, Object] = {}

    def replace(self, scope: str, objects: Sequence[Object], version: str) -> None:
        """See Receiver."""
        del scope, version
        self.by_name.clear()
        for new in objects:
            self.put(new)

    def put(self, new: Object) -> None:
        """See Receiver."""
        self.by_name[new["metadata"]["name"]] = new.get("status", {})

    def remove(self, old: Object) -> None:
        """See Receiver."""
        self.by_name.pop(old["metadata"]["name"], None)

    def fail(self, scope: str, error: ApiError) -> None:
        """See Receiver. The watch is begun anew."""


@dataclass(slots=True)
class Stage:
    """A namespace that the operator watches, and the Redis that its TaskGroups and Celery use."""

    cluster: Cluster
    namespace: str
    server: RedisServer
    operator: OperatorProcess
    statuses: Statuses

    async def create(self, name: str, **spec: Any) -> str:
        """Create a TaskGroup of no-op tasks and return its uid."""
        fields = {
            "workers": {"image": "localhost/none:1", "app": "demo", "maxReplicas": 4, "concurrency": 16},
            "template": {"task": "demo.noop", "args": ["$(item)"]},
            "broker": {"secretKeyRef": {"name": _BROKER}},
            **spec,
        }
        body = {"metadata": {"name": name}, "spec": fields}
        group = await self.cluster.create(TASK_GROUPS, self.namespace, body)
        return str(group["metadata"]["uid"])

    async def create_all(self, names: Iterable[str], items: int) -> list[str]:
        """Create TaskGroups of so many items, a few at once, and return their uids in order."""
        limit = asyncio.Semaphore(_MAX_REQUESTS)

        async def create(name: str) -> str:
            async with limit:
                return await self.create(name, sequence={"count": items})

        return list(await asyncio.gather(*map(create, names)))

    async def warm_up(self) -> None:
        """Wait until the operator works: it has written the status of a suspended group."""
        await self.create("warm-up", sequence={"count": 1}, suspend=True)
        await self._until(lambda: self._status("warm-up").get("state") == "Suspended")
        await self.remove("warm-up")

    async def until_all(self, holds: Callable[[list[Object]], bool]) -> None:
        """Wait until this is true of all TaskGroups' statuses; RuntimeError with its log when the operator ends."""
        await self._until(lambda: holds(list(self.statuses.by_name.values())), _LONG_SECONDS)

    @property
    def operator_cpu(self) -> float:
        """Processor time that the operator's process has used, in seconds."""
        return cpu_seconds(self.operator.pid)

    @property
    def operator_megabytes(self) -> float:
        """Resident memory of the operator's process, in MB."""
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{self.operator.pid}/status").read_text().splitlines())
        return int(fields["VmRSS"].split()[0]) / 1024

    async def until_counted(self, name: str, succeeded: int) -> None:
        """Wait until the status has that many succeeded items."""
        await self._until(lambda: self._status(name).get("succeeded") == succeeded)

    async def remove(self, name: str) -> None:
        """Delete the TaskGroup and wait until it is gone."""
        await self.cluster.delete(TASK_GROUPS, self.namespace, name)
        await self._until(lambda: name not in self.statuses.by_name)

    def _status(self, name: str) -> Object:
        return self.statuses.by_name.get(name, {})

    async def _until(self, holds: Callable[[], bool], seconds: float = _TIMEOUT_SECONDS) -> None:
        """The watch tells: to ask the API server would be a load of its own, on the cores that are measured."""

        async def is_reached() -> bool:
            if not self.operator.is_running:
                raise RuntimeError(f"The operator has ended. The end of its log:\n{self.operator.log[-3000:]}")
            return holds()

        await eventually_async(is_reached, seconds, lambda: self.operator.log[-3000:], step=_POLL_SECONDS)


@asynccontextmanager
async def stage(**settings: str) -> AsyncIterator[Stage]:
    """Start everything, the operator with these variables; stop at the end of the block what was started."""
    with _api_server() as kubeconfig, redis_server() as server, tempfile.TemporaryDirectory() as folder:
        TaskGroups(kubeconfig).install()
        async with (
            await connect(kubeconfig, watches=1) as cluster,
            _namespace(cluster, server) as namespace,
            _watched(cluster, namespace) as statuses,
        ):
            operator = OperatorProcess(namespace, kubeconfig, Path(folder), settings)
            operator.start()
            try:
                environment = Stage(cluster, namespace, server, operator, statuses)
                await environment.warm_up()
                yield environment
            finally:
                operator.stop()


@asynccontextmanager
async def _watched(cluster: Cluster, namespace: str) -> AsyncIterator[Statuses]:
    statuses = Statuses()
    watch = asyncio.create_task(Watcher(cluster, TASK_GROUPS, namespace, "", statuses).run())
    try:
        yield statuses
    finally:
        watch.cancel()


@contextmanager
def _api_server() -> Iterator[str]:
    """The tests' light API server. One that runs already is used, and not stopped."""
    configured = os.environ.get("TASKGROUP_TEST_KUBECONFIG")
    is_running = configured or _cluster("status", check=False).returncode == 0
    kubeconfig = configured or _cluster("kubeconfig" if is_running else "up").stdout.strip()
    try:
        yield kubeconfig
    finally:
        if not is_running:
            _cluster("down")


def _cluster(command: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([_CLUSTER, command, "--light"], stdout=subprocess.PIPE, text=True, check=check)


@asynccontextmanager
async def _namespace(cluster: Cluster, server: RedisServer) -> AsyncIterator[str]:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    await cluster.create(NAMESPACES, "", {"metadata": {"name": name}})
    try:
        await cluster.create(SECRETS, name, {"metadata": {"name": _BROKER}, "stringData": {"url": server.url}})
        yield name
    finally:
        await cluster.delete(NAMESPACES, "", name)
