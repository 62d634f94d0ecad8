"""A Deployment whose pods are worker processes on this machine: what the kubelet and the Deployment's controller do, as
far as the loops of the operator can tell.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.celery_worker import CeleryWorker
from support.worker_container import start_container
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec

_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class _Pod:
    worker: CeleryWorker
    facts: PodFacts
    born: float = field(default_factory=time.time)


class WorkerProcesses:
    """`WorkerStore` on processes. Run `kubelet` beside the loops."""

    def __init__(
        self, url: str, folder: Path, version: str, changed: Callable[[], None], variables: Mapping[str, str]
    ) -> None:
        """`changed` is called when there is something new to observe."""
        self._url = url
        self._folder = folder
        self._version = version
        self._changed = changed
        self._variables = variables
        self._replicas: int | None = None
        self._spec: PoolSpec | None = None
        self._pods: dict[str, _Pod] = {}
        self._born = 0
        self._cheap: frozenset[str] = frozenset()

    @property
    def logs(self) -> str:
        """The end of what each worker said."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self._folder.glob("*.log")))

    @property
    def live(self) -> list[PodFacts]:
        """Pods that run."""
        return [pod.facts for pod in self._pods.values()]

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """See WorkerStore."""
        del meta
        pods = tuple(pod.facts for pod in self._pods.values())
        if self._replicas is None:
            return WorkerFacts(pods=pods)
        ready = sum(1 for pod in pods if pod.ready)
        settled = spec is None or spec == self._spec
        return WorkerFacts(deployment=DeploymentFacts(replicas=self._replicas, ready=ready, settled=settled), pods=pods)

    async def are_none(self, meta: Meta) -> bool:
        """See WorkerStore."""
        del meta
        return not self._replicas and not self._pods

    async def apply(self, meta: Meta, spec: PoolSpec, replicas: int) -> None:
        """See WorkerStore."""
        del meta
        self._replicas, self._spec = replicas, spec
        self._changed()

    async def stop(self, meta: Meta) -> None:
        """See WorkerStore."""
        del meta
        self._replicas = 0
        self._changed()

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """See WorkerStore."""
        del meta, busy
        self._cheap = frozenset(idle)

    async def stop_pod(self, meta: Meta, pod: str) -> None:
        """See WorkerStore."""
        del meta
        if pod in self._pods:
            self._stop(pod)

    def forget(self, uid: str) -> None:
        """See WorkerStore."""

    async def kubelet(self) -> None:
        """Start, restart and stop pods until cancelled; then all of them are killed."""
        try:
            while True:
                self._follow()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for pod in self._pods.values():
                with suppress(ProcessLookupError):
                    pod.worker.kill()

    def _follow(self) -> None:
        for name, pod in list(self._pods.items()):
            if pod.worker.process.poll() is not None:
                self._ended(name, pod)
            elif not pod.facts.ready and not pod.facts.terminating and " ready." in pod.worker.log:
                self._set(name, replace(pod.facts, ready=True))
        self._scale()

    def _ended(self, name: str, pod: _Pod) -> None:
        if pod.facts.terminating:
            del self._pods[name]
            self._changed()
            return
        pod.worker = self._start(name)
        self._set(name, replace(pod.facts, restarts=pod.facts.restarts + 1, started_at=time.time(), ready=False))

    def _scale(self) -> None:
        staying = [name for name, pod in self._pods.items() if not pod.facts.terminating]
        for name in sorted(staying, key=lambda name: name not in self._cheap)[: len(staying) - (self._replicas or 0)]:
            self._stop(name)
        for _ in range((self._replicas or 0) - len(staying)):
            self._born += 1
            name = f"p{self._born}"
            self._pods[name] = _Pod(self._start(name), PodFacts(name=name, started_at=time.time()))
            self._changed()

    def _stop(self, name: str) -> None:
        self._pods[name].worker.process.terminate()
        self._set(name, replace(self._pods[name].facts, terminating=True, ready=False))

    def _start(self, name: str) -> CeleryWorker:
        assert self._spec is not None
        return start_container(
            self._url, self._folder, self._spec, pod=name, version=self._version, variables=self._variables
        )

    def _set(self, name: str, facts: PodFacts) -> None:
        self._pods[name].facts = facts
        self._changed()
