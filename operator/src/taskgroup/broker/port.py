"""What the operator needs of a broker, as values and Protocols. Redis is one implementation (`redis_groups`,
`redis_pools`, `inspection`); tests hold another one to the same contract.

A group's books (state, attempts, losses) are found by its uid; queue lists and unacked messages belong to a pool of
workers. Every method raises BrokerError when the broker cannot be used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyroaring import BitMap

from taskgroup.api.signature import Leaf
from taskgroup.core.groups.observed import BrokerBooks, Fence, GroupState, QueueState
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.pools.claim_history import Claims, Unacked
from taskgroup.core.pools.observed import PoolQueue
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import Units


@dataclass(frozen=True, slots=True)
class Route:
    """A group, and the pool whose queue takes its messages."""

    uid: str
    pool: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose books these are: written down with them, because nobody can be asked once the object is gone."""

    cluster: str
    """What tells this cluster from others that use the same broker."""
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """The inverse of `str`; None for anything else."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == len(cls.__slots__) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The books as they begin."""

    nonce: str
    cursors: Mapping[int, int] = field(default_factory=dict)
    attempts: Mapping[int, int] = field(default_factory=dict)
    returned: Units = NONE
    """Units that wait to be dispatched again."""
    instead_of: str = ""
    """Nonce of books that are known to be out of date (an old copy of the broker's data): these are replaced."""
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class UnitMessage:
    """A message for a unit in `returned`. It is pushed only while `attempt` is the unit's newest attempt."""

    unit: int
    priority: int
    message: bytes
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`fence` is the one to use from now on; `queued` left the lists, `running` the workers' unacked messages."""

    fence: Fence
    queued: BitMap
    running: BitMap


@dataclass(frozen=True, slots=True)
class Requeued:
    """What did not go back on the queue when a worker had died."""

    given_up: frozenset[TaskId] = frozenset()
    """Too many workers died with them; they are nowhere any more."""
    set_aside: int = 0
    """How many suspects are in `returned` now."""
    unmoved: int = 0
    """Messages that are still with the pod."""
    foreign: int = 0
    """Entries that were no message at all; they were dropped."""
    losses: int = 0
    """With how many items the worker died, those that did go back included."""


class Template(Protocol):
    """One signature of one group, ready to be filled per item."""

    def render(
        self, unit: int, attempt: int, args: Sequence[Any], kwargs: Mapping[str, Any], parent: str | None = None
    ) -> bytes:
        """The message of one attempt of a unit; `args` and `kwargs` are JSON values.

        `parent` is the id of the task whose end has released it.
        """


class GroupBroker(Protocol):
    """The books of groups, and what groups put on queues.

    Whoever changes something says which nonce and epoch it believes in (Fence): another operator, a replay, or a broker
    that lost its data makes the change a no-op.
    """

    def template(self, leaf: Leaf, route: Route) -> Template:
        """InvalidSpecError when the signature's headers would overwrite Celery's."""

    async def open(self, route: Route, opening: Opening) -> GroupState:
        """Begin the books (epoch 1) unless there are any; returns what is there, perhaps the tombstone."""

    async def observe(self, route: Route, pods: Sequence[str]) -> QueueState:
        """State, messages on the queue and unacknowledged messages of these pods."""

    async def books(self, uid: str, units: Units = NONE) -> BrokerBooks:
        """What is known of single units; not for every look, as it may be large.

        Of later steps and of stages those are read of which one is among `units`.
        """

    async def dispatch(self, route: Route, fence: Fence, priority: int, start: int, messages: Sequence[bytes]) -> bool:
        """Push the next messages of a priority and move its cursor from `start`; False when fenced or a replay."""

    async def skip(self, uid: str, fence: Fence, priority: int, start: int, indexes: Indexes) -> bool:
        """The next items of a priority go into `returned`, its cursor past them; False when fenced or a replay."""

    async def redispatch(self, route: Route, fence: Fence, entries: Sequence[UnitMessage]) -> BitMap:
        """Push messages of units that are still in `returned`, and take them out of it; returns those units."""

    async def withdraw(self, route: Route, fence: Fence, pods: Sequence[str], *, running: bool) -> Withdrawn | None:
        """Raise the epoch and take the items off the queue into `returned`; None = fenced, nothing done.

        Subtasks, and retries that tasks asked for, stay. With `running` (the end of a group) everything leaves the
        queue, and the unacked messages of `pods` go too.
        """

    async def stop(self, route: Route, fence: Fence, pods: Sequence[str]) -> Withdrawn | None:
        """Raise the epoch and take the items off the queue and out of these pods' hands; None = fenced, nothing done.

        Subtasks stay. All go into `returned`; those that have begun, `running`, get a new attempt number each.
        """

    async def renew(
        self, uid: str, fence: Fence, units: Iterable[int], *, forgiven: bool = False
    ) -> dict[int, int] | None:
        """A new attempt number for each unit, which goes into `returned`; None = fenced, nothing done.

        When `forgiven`, workers that died with them count no more.
        """

    async def release(self, uid: str, fence: Fence, units: Units) -> bool:
        """Later steps go into `returned`, each once in the group's life; False when fenced."""

    async def mark_missing(self, uid: str, fence: Fence, units: Iterable[int]) -> bool:
        """Units whose message vanished go into `returned`, under the attempt that they have; False when fenced."""

    async def present(self, pool: str, pods: Sequence[str]) -> set[str]:
        """Task ids of all messages on the pool's queue and in the hands of these pods, and of these messages' roots.

        An item that replaced itself by other tasks is present as long as one of them is.
        """

    async def erase(self, uid: str, *, tombstone: bool) -> None:
        """Delete the group's books. The tombstone keeps a paused operator from opening them again, for a day."""

    async def items_part(self, uid: str, number: int | None) -> bytes | None:
        """A piece of what was read for spec.itemsFrom, or without a number its head; None where there is none."""

    async def forget_items(self, uid: str) -> None:
        """Remove all of that."""

    async def owners(self) -> dict[str, Owner]:
        """Uid to owner of every group whose books are open and name one; reads the whole database."""


class PoolBroker(Protocol):
    """Queues, and what their workers hold."""

    def queue(self, pool: str) -> str:
        """Name of the Celery queue."""

    def worker_options(self, pool: str, pod: str) -> dict[str, str]:
        """Transport options by which a worker keeps its unacked messages apart from those of other pods."""

    async def observe(self, pool: str, pods: Sequence[str]) -> PoolQueue:
        """Messages on the queue, and unacknowledged messages of each of these pods, with the time of the oldest."""

    async def requeue(
        self,
        pool: str,
        pod: str,
        groups: Mapping[str, Indexes],
        *,
        before: float | None,
        count_loss: bool,
        loss_limit: int,
        suspect_losses: int,
    ) -> Requeued:
        """Put a dead worker's unacked messages back on the queue, first in line, marked as redelivered.

        `groups` are the uids whose items the pool runs, with those that have ended: these are dropped. `before` (epoch
        seconds): only messages taken until then, for a container that was restarted under the pod's name; what is no
        message at all is dropped without it. What waited there for its ETA was not run: it counts no loss.
        An item that `suspect_losses` workers died with goes into `returned` instead of the queue (0: none does, ANEW:
        each; never a retry, whose arguments only its message holds). An item is given up when more than `loss_limit`
        workers died with it: of the later deaths only those count in which the worker ran nothing else, up to
        MAX_SHARED_LOSSES.
        """

    async def unacked(self, pool: str, pods: Sequence[str]) -> Mapping[str, tuple[Unacked, ...]]:
        """What each of these pods holds, the oldest entries when they are very many; no message has the id ''."""

    async def put_back(
        self, pool: str, pod: str, groups: Iterable[str], tags: frozenset[str], *, anew: bool = False
    ) -> None:
        """Put these deliveries back as `requeue` does, without a loss; what is no message is dropped."""

    async def discard(self, pool: str, pod: str, tags: frozenset[str]) -> None:
        """Remove these deliveries."""

    async def remember_pods(self, pool: str, pods: Iterable[str]) -> int:
        """Write down that these pods may hold messages; returns how many of them were not written down before."""

    async def forget_pods(self, pool: str, pods: Iterable[str]) -> None:
        """They hold nothing, and never will again."""

    async def stray_pods(self, pool: str) -> set[str]:
        """Names of all pods that were remembered and not forgotten."""

    async def unacked_pods(self) -> dict[str, set[str]]:
        """Pool to the pods with unacked messages, remembered or not; reads the whole database."""

    async def erase(self, pool: str, pods: Sequence[str]) -> None:
        """Delete the queue and what these pods held."""


class Inspection(Protocol):
    """Questions to live workers. A worker that does not answer in time is silent, not dead."""

    async def active_ids(self, pods: Sequence[str], wait_seconds: float) -> dict[str, set[str]]:
        """Ids of all tasks that each pod's worker has taken: running, waiting, or with an ETA. Silent ones are absent.

        `wait_seconds` bounds each of three questions.
        """

    async def revoke(self, pods: Sequence[str], ids: Sequence[str]) -> None:
        """Tell these pods' workers not to run these tasks, and to end those that run; nobody says whether they did."""

    async def claims(self, pods: Sequence[str], wait_seconds: float) -> dict[str, Claims]:
        """What each pod's worker says that it has, and its rate limits. Silent ones are absent.

        `wait_seconds` bounds each of four questions.
        """
