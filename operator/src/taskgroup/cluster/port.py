"""What the loops need of Kubernetes, as Protocols. `group_store` and `workers.deployments` are the implementations.

Every method raises ApiError when the API server cannot be used or says no.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """A TaskGroup's status as it is stored."""

    status: TaskGroupStatus
    version: str
    """resourceVersion of the object."""


@dataclass(frozen=True, slots=True)
class StoredLedger:
    """A saved ledger."""

    data: bytes
    version: str
    """resourceVersion of the object that holds it."""


class GroupStore(Protocol):
    """TaskGroups and what is written down of them."""

    async def read_status(self, meta: Meta) -> StoredStatus:
        """NotFoundError when there is no such object any more."""

    async def write_status(self, meta: Meta, status: TaskGroupStatus, version: str) -> str:
        """Returns the new version; ConflictError when the stored one is another than `version`."""

    async def load_ledger(self, meta: Meta) -> StoredLedger | None:
        """None when nothing was saved yet."""

    async def save_ledger(self, meta: Meta, data: bytes, version: str | None) -> str:
        """Returns the new version; ConflictError when the stored one is another than `version` (None: not there)."""

    async def post_event(self, meta: Meta, event: Event) -> None:
        """Never raises: events are no part of the outcome."""

    async def delete(self, meta: Meta) -> None:
        """The TaskGroup itself, unless another one has taken its name."""


class WorkerStore(Protocol):
    """The Deployments of pools, and their pods."""

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """What runs, and whether it is as `spec` asks for; None (it cannot be described) is not compared."""

    async def are_none(self, meta: Meta) -> bool:
        """Whether there are no pods and nobody wants any; it costs no request."""

    async def apply(self, meta: Meta, spec: PoolSpec, replicas: int) -> None:
        """Make every field of ours as the spec wants it, whoever changed it."""

    async def stop(self, meta: Meta) -> None:
        """No pods, whatever the rest of the Deployment looks like."""

    async def stop_pod(self, meta: Meta, pod: str, *, at_once: bool) -> None:
        """Stop one pod in order, or remove it at once, whether its container has ended or not; unless it is gone."""

    async def is_leaving(self, meta: Meta) -> bool:
        """Whether the namespace goes with all that is in it; this costs a request."""

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """Let the next scale-down stop idle pods first."""

    def forget(self, uid: str) -> None:
        """The object is gone."""
