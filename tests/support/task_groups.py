"""TaskGroups of the component tests: objects on the API server, run by workers on this machine."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import redis

from support.celery_worker import CeleryWorker, celery_worker
from support.crd.server import shared_task_groups
from support.kube import TASK_GROUPS, Kube, kube_of
from support.kubectl import Kubectl, new_namespace
from support.operator_process import OperatorProcess
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE, eventually
from taskgroup.broker.keys import PoolKeys

WORKERS = {"image": "localhost/none:1", "app": "support.celery_app", "maxReplicas": 2, "concurrency": 2}
_POD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "worker",
            "image": "localhost/none:1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


@dataclass(slots=True)
class Bench:
    """A namespace with an operator, a Redis whose URL is in the Secret `redis`, and room for workers."""

    kubectl: Kubectl
    operator: OperatorProcess
    server: RedisServer
    folder: Path

    def apply(self, name: str, **spec: Any) -> str:
        """Create a TaskGroup; returns its uid."""
        fields = {"workers": WORKERS, "broker": {"secretKeyRef": {"name": "redis"}}, **spec}
        manifest = {
            "apiVersion": "taskgroups.dev/v1alpha1",
            "kind": "TaskGroup",
            "metadata": {"name": name},
            "spec": fields,
        }
        assert self.kubectl.create(manifest) == ""
        return str(self.group(name)["metadata"]["uid"])

    def patch(self, name: str, spec: dict[str, Any]) -> None:
        """Change the spec by a merge patch."""
        process = self.kubectl("patch", "tg", name, "--type", "merge", "--patch", json.dumps({"spec": spec}))
        assert process.returncode == 0, process.stderr

    @property
    def kube(self) -> Kube:
        """The same namespace, for reads."""
        return kube_of(self.kubectl.kubeconfig, self.kubectl.namespace)

    def group(self, name: str) -> dict[str, Any]:
        """The whole object."""
        return self.kube.read(TASK_GROUPS, name)

    def status(self, name: str) -> dict[str, Any]:
        """Its status; empty before the first write."""
        status: dict[str, Any] = self.group(name).get("status", {})
        return status

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One condition; empty when there is none yet."""
        conditions = self.status(name).get("conditions", [])
        return next((entry for entry in conditions if entry["type"] == kind), {})

    def until(self, name: str, holds: Callable[[dict[str, Any]], object], seconds: float = PATIENCE) -> dict[str, Any]:
        """The first status for which the function returns true."""
        status: dict[str, Any] = {}

        def is_reached() -> bool:
            nonlocal status
            status = self.status(name)
            return bool(holds(status))

        eventually(is_reached, seconds, lambda: f"{status}\noperator:\n{self.operator.log[-3000:]}")
        return status

    def until_reason(self, name: str, kind: str, reason: str) -> None:
        """Wait until a condition has this reason."""
        eventually(
            lambda: self.condition(name, kind).get("reason") == reason,
            state=lambda: f"{self.status(name)}\noperator:\n{self.operator.log[-3000:]}",
        )

    def finished(self, name: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The status once the group has ended."""
        return self.until(name, lambda status: status.get("state") in ("Complete", "Failed"), seconds)

    @contextmanager
    def worker(self, uid: str, name: str = "pod-a", *arguments: str) -> Iterator[CeleryWorker]:
        """A worker of the group's queue, in a pod of this name."""
        with self.pod(uid, name), self.process(uid, name, *arguments) as worker:
            yield worker

    @contextmanager
    def process(self, uid: str, name: str, *arguments: str, version: str | None = None) -> Iterator[CeleryWorker]:
        """One life of the container in a pod of this name, with this version of Celery or that of the tests."""
        pool = PoolKeys("", uid)
        settings = ("worker_deduplicate_successful_tasks=1", "task_ignore_result=0")
        with celery_worker(
            self.server.url,
            pool.queue,
            self.folder,
            name=name,
            transport_options=pool.worker_options(name),
            arguments=arguments or ("--pool", "solo"),
            settings=settings,
            version=version,
        ) as worker:
            yield worker

    @contextmanager
    def pod(self, uid: str, name: str) -> Iterator[None]:
        """A Pod object for a worker on this machine: the operator requeues the items of a worker without a pod."""
        labels = {"taskgroups.dev/uid": uid, "app.kubernetes.io/managed-by": "taskgroup-operator"}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": _POD}
        assert "error" not in self.kubectl.create(manifest).lower()
        try:
            yield
        finally:
            self.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=true", f"--timeout={PATIENCE}s")

    def redis(self) -> "redis.Redis":
        """A client of the group's Redis."""
        return self.server.client()

    def is_gone(self, name: str) -> bool:
        """The object does not exist any more."""
        return self.kube.find(TASK_GROUPS, name) is None

    def is_leaving(self, name: str) -> bool:
        """It is being deleted."""
        return "deletionTimestamp" in (self.kube.find(TASK_GROUPS, name) or {"metadata": {}})["metadata"]

    def clear(self) -> None:
        """Delete all TaskGroups and wait until they are gone."""
        self.kubectl("delete", "taskgroups", "--all", "--wait=true", f"--timeout={PATIENCE}s")


Account = Callable[[Kubectl, Path], str]
"""Makes an account in the namespace; returns the path of its kubeconfig, in the folder."""


@contextmanager
def running_bench(
    folder: Path,
    operators_kubeconfig: str | None = None,
    account: Account | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
    wrapper: tuple[str, ...] = (),
    *,
    persistent: bool = False,
) -> Iterator[Bench]:
    """A namespace with a Redis, its Secret and a running operator; everything is removed at the end.

    Without an account of its own the operator has all rights. `wrapper` is a command that becomes the operator. A
    persistent Redis may be killed and started.
    """
    shared_task_groups()
    with redis_server(password="secret", persistent=persistent) as server, new_namespace() as kubectl:
        assert kubectl("create", "secret", "generic", "redis", f"--from-literal=url={server.url}").returncode == 0
        kubeconfig = account(kubectl, folder) if account else operators_kubeconfig or kubectl.kubeconfig
        variables = {"TASKGROUP_RESYNC_SECONDS": "2", **settings}
        operator = OperatorProcess(kubectl.namespace, kubeconfig, folder, variables, wrapper=wrapper)
        operator.start()
        bench = Bench(kubectl, operator, server, folder)
        try:
            yield bench
        finally:
            bench.clear()
            operator.stop()
