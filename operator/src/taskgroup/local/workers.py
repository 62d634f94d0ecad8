"""A Deployment whose pods are processes of this machine: what the kubelet and the Deployment's controller do, as far as
the loops can tell.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from taskgroup.api.names import Reason
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.text import shortened
from taskgroup.core.trouble import Trouble
from taskgroup.local.worker_process import READY, Worker

_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 1.0
"""Before a worker starts again that ended before it was ready."""
_WORDS = 500


@dataclass(slots=True)
class _Pod:
    worker: Worker
    facts: PodFacts
    stopping_since: float = 0.0
    failures: int = 0
    """How often in a row its worker ended before it was ready."""
    due: float = 0.0
    """When it may start again."""
    is_up: bool = field(default=True)


class LocalWorkers:
    """`WorkerStore` on processes. Run `kubelet` beside the loops."""

    def __init__(self, start: Callable[[PoolSpec, str], Worker], changed: Callable[[], None]) -> None:
        """`changed` is called when there is something new to observe."""
        self._start_worker = start
        self._changed = changed
        self._replicas: int | None = None
        self._spec: PoolSpec | None = None
        self._pods: dict[str, _Pod] = {}
        self._born = 0
        self._cheap: frozenset[str] = frozenset()

    @property
    def live(self) -> list[PodFacts]:
        """Pods that there are."""
        return [pod.facts for pod in self._pods.values()]

    @property
    def failed_starts(self) -> int:
        """How often in a row a worker ended before it was ready."""
        return max((pod.failures for pod in self._pods.values()), default=0)

    @property
    def last_words(self) -> str:
        """The end of what workers said that do not start."""
        texts = [pod.worker.log.strip() for pod in self._pods.values() if pod.failures]
        return shortened(texts[0].splitlines()[-1], _WORDS) if texts and texts[0] else "it said nothing"

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """See WorkerStore."""
        del meta
        pods = tuple(self.live)
        if self._replicas is None:
            return WorkerFacts(pods=pods)
        ready = sum(1 for pod in pods if pod.ready)
        settled = spec is None or spec == self._spec
        deployment = DeploymentFacts(replicas=self._replicas, ready=ready, settled=settled)
        return WorkerFacts(deployment=deployment, pods=pods, trouble=self._trouble())

    def _trouble(self) -> Trouble | None:
        if not self.failed_starts:
            return None
        return Trouble(Reason.WORKER_CRASHES, f"The worker ended before it was ready: {self.last_words}")

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

    async def stop_pod(self, meta: Meta, pod: str, *, at_once: bool) -> None:
        """See WorkerStore."""
        del meta, at_once
        if pod in self._pods:
            self._stop(pod)

    async def is_leaving(self, meta: Meta) -> bool:
        """See WorkerStore."""
        del meta
        return False

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
                pod.worker.kill()

    def _follow(self) -> None:
        for name, pod in list(self._pods.items()):
            if pod.worker.process.poll() is not None:
                self._ended(name, pod)
            elif pod.facts.terminating:
                self._end_in_time(pod)
            elif not pod.facts.ready and READY in pod.worker.log:
                pod.failures = 0
                self._set(name, replace(pod.facts, ready=True))
        self._scale()

    def _ended(self, name: str, pod: _Pod) -> None:
        if pod.is_up:
            # Children of a worker that was killed would go on.
            pod.worker.kill()
            pod.is_up = False
            pod.failures += 0 if pod.facts.ready or pod.facts.terminating else 1
            pod.due = time.monotonic() + (_RESTART_SECONDS if pod.failures else 0.0)
            self._changed()
        if pod.facts.terminating:
            del self._pods[name]
            self._changed()
        elif time.monotonic() >= pod.due:
            pod.worker, pod.is_up = self._start(name), True
            self._set(name, replace(pod.facts, restarts=pod.facts.restarts + 1, started_at=time.time(), ready=False))

    def _end_in_time(self, pod: _Pod) -> None:
        grace = self._spec.grace_seconds if self._spec else 0
        if time.monotonic() - pod.stopping_since > grace:
            pod.worker.kill()

    def _scale(self) -> None:
        staying = [name for name, pod in self._pods.items() if not pod.facts.terminating]
        wanted = self._replicas or 0
        for name in sorted(staying, key=lambda name: name not in self._cheap)[: max(0, len(staying) - wanted)]:
            self._stop(name)
        for _ in range(wanted - len(staying)):
            self._born += 1
            name = f"worker-{self._born}"
            self._pods[name] = _Pod(self._start(name), PodFacts(name=name, started_at=time.time()))
            self._changed()

    def _stop(self, name: str) -> None:
        pod = self._pods[name]
        pod.worker.process.terminate()
        pod.stopping_since = time.monotonic()
        self._set(name, replace(pod.facts, terminating=True, ready=False))

    def _start(self, name: str) -> Worker:
        if self._spec is None:
            raise RuntimeError("a worker was wanted before anybody said what it is")
        return self._start_worker(self._spec, name)

    def _set(self, name: str, facts: PodFacts) -> None:
        self._pods[name].facts = facts
        self._changed()
