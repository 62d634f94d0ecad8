"""`GroupStore` and `WorkerStore` in memory: one TaskGroup, its ledger, and worker pods that come and go."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from support.memory.store import nothing
from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.errors import ApiError, ConflictError
from taskgroup.cluster.port import StoredLedger, StoredStatus
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec


class MemoryGroupStore:
    """One TaskGroup and what is written down of it."""

    def __init__(self, effect: Callable[[], None] = nothing) -> None:
        self.status = TaskGroupStatus()
        self.ledger: bytes | None = None
        self.ledgers: list[bytes | None] = []
        """All that were ever stored."""
        self.events: list[Event] = []
        self.deleted = False
        self.on_status: Callable[[TaskGroupStatus, TaskGroupStatus], None] = lambda *_: None
        """Called with the former and the new status."""
        self._versions = {"status": 1, "ledger": 0}
        self._effect = effect

    async def read_status(self, meta: Meta) -> StoredStatus:
        """See GroupStore."""
        del meta
        return StoredStatus(self.status, self.version)

    @property
    def version(self) -> str:
        """Of the TaskGroup."""
        return str(self._versions["status"])

    async def write_status(self, meta: Meta, status: TaskGroupStatus, version: str) -> str:
        """See GroupStore."""
        del meta
        self._effect()
        version = self._moved("status", version)
        self.on_status(self.status, status)
        self.status = status
        self._effect()
        return version

    async def load_ledger(self, meta: Meta) -> StoredLedger | None:
        """See GroupStore."""
        del meta
        return StoredLedger(self.ledger, str(self._versions["ledger"])) if self.ledger is not None else None

    async def save_ledger(self, meta: Meta, data: bytes, version: str | None) -> str:
        """See GroupStore."""
        del meta
        self._effect()
        stored = str(self._versions["ledger"]) if self.ledger is not None else None
        if version != stored:
            raise ConflictError("The ledger is not the one that was read.", status=409)
        version = self.put_ledger(data)
        self._effect()
        return version

    def put_ledger(self, data: bytes | None) -> str:
        """As the operator, or somebody else, stores or deletes it."""
        self.ledgers.append(data)
        self.ledger = data
        self._versions["ledger"] += 1
        return str(self._versions["ledger"])

    def _moved(self, what: str, version: str) -> str:
        if version != str(self._versions[what]):
            raise ConflictError(f"The {what} changed since it was read.", status=409)
        self._versions[what] += 1
        return str(self._versions[what])

    async def post_event(self, meta: Meta, event: Event) -> None:
        """See GroupStore."""
        del meta
        self.events.append(event)

    async def delete(self, meta: Meta) -> None:
        """See GroupStore."""
        del meta
        self.deleted = True


class MemoryWorkers:
    """The Deployment and its pods. `held` says how much each pod holds."""

    def __init__(
        self,
        held: Callable[[], dict[str, int]],
        effect: Callable[[], None] = nothing,
        changed: Callable[[], None] = nothing,
    ) -> None:
        """`changed` is called when there is something new to observe."""
        self.replicas: int | None = None
        """None: there is no Deployment."""
        self.applied: PoolSpec | None = None
        """What the Deployment is made of."""
        self.flaws: list[str] = []
        self.refusal: ApiError | None = None
        """Why the Deployment cannot be applied."""
        self._held = held
        self._effect = effect
        self._changed = changed
        self._pods: dict[str, PodFacts] = {}
        self._born = 0

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """See WorkerStore."""
        del meta
        settled = spec is None or spec == self.applied
        pods = tuple(pod for pod in self._pods.values() if not pod.ended or self._held().get(pod.name))
        if self.replicas is None:
            return WorkerFacts(pods=pods)
        ready = sum(1 for pod in pods if pod.ready)
        return WorkerFacts(deployment=DeploymentFacts(replicas=self.replicas, ready=ready, settled=settled), pods=pods)

    async def are_none(self, meta: Meta) -> bool:
        """See WorkerStore."""
        del meta
        return not self.replicas and not self._pods

    async def apply(self, meta: Meta, spec: PoolSpec, replicas: int) -> None:
        """See WorkerStore."""
        del meta
        if self.refusal is not None:
            raise self.refusal
        self._effect()
        busy = sum(1 for pod in self.live() if self._held().get(pod.name))
        if self.replicas is not None and replicas < min(self.replicas, busy):
            self.flaws.append(f"{busy} pods are busy, but only {replicas} shall stay")
        self.replicas, self.applied = replicas, spec
        self._changed()
        self._effect()

    async def stop(self, meta: Meta) -> None:
        """See WorkerStore."""
        del meta
        self.replicas = 0 if self.replicas is not None else None
        self._changed()

    async def is_leaving(self, meta: Meta) -> bool:
        """See WorkerStore."""
        del meta
        return False

    async def stop_pod(self, meta: Meta, pod: str, *, at_once: bool) -> None:
        """See WorkerStore; it is gone at once, with what it held."""
        del meta, at_once
        self._pods.pop(pod, None)
        self._changed()

    def remove(self) -> None:
        """Somebody deletes the Deployment; its pods go, too."""
        self.replicas = None
        self._changed()

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """See WorkerStore."""

    def forget(self, uid: str) -> None:
        """See WorkerStore."""

    def live(self) -> list[PodFacts]:
        """Pods that run, in a fixed order."""
        return [pod for pod in self._pods.values() if not pod.ended]

    def settle(self, now: float) -> None:
        """The Deployment's controller and the kubelet: as many pods as wanted, idle ones stopped first.

        A stopped pod vanishes from the API at once, with what it held.
        """
        live = sorted(self.live(), key=lambda pod: self._held().get(pod.name, 0))
        for pod in live[: max(0, len(live) - (self.replicas or 0))]:
            del self._pods[pod.name]
        for _ in range((self.replicas or 0) - len(live)):
            self._born += 1
            name = f"p{self._born}"
            self._pods[name] = PodFacts(name=name, ready=True, started_at=now)
        if len(live) != (self.replicas or 0):
            self._changed()

    def die(self, choice: int, now: float, *, restart: bool) -> None:
        """A container ends with what it holds; it starts again in its pod, or the pod has failed."""
        live = self.live()
        if not live:
            return
        pod = live[choice % len(live)]
        if restart:
            self._pods[pod.name] = replace(pod, restarts=pod.restarts + 1, started_at=now)
        else:
            self._pods[pod.name] = replace(pod, ended=True, ready=False)
        self._changed()
