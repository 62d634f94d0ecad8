"""Values that travel between the operator's loop and the broker."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyroaring import BitMap

TOMBSTONE = "deleted"
"""The nonce of a group whose keys were erased; no fence equals it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still be true in Redis for a change to happen."""

    nonce: str
    epoch: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """The state hash. `cursors`: by priority, how many of its indexes, ascending, were dispatched at least once."""

    nonce: str
    epoch: int
    cursors: Mapping[int, int]

    @property
    def fence(self) -> Fence:
        """The fence that changes made on the ground of this state must carry."""
        return Fence(self.nonce, self.epoch)

    @property
    def deleted(self) -> bool:
        """Whether this is the tombstone that `erase` leaves."""
        return self.nonce == TOMBSTONE


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose keys these are: written down with them, because nobody can be asked once the object is gone."""

    cluster: str
    """What tells this cluster from others that use the same Redis."""
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """The inverse of `str`; None for anything else."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == len(cls.__slots__) else None


@dataclass(frozen=True, slots=True)
class QueueState:
    """One look at a group's keys. `state` is None when there is none: not opened yet, or lost."""

    state: GroupState | None
    queued: int
    returned: int
    unacked: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BrokerBooks:
    """`returned`: indexes to dispatch again; `attempts`: newest attempt by index (absent = 0); `losses`: by index.

    A quarantined item is one whose losses exceed the limit: it can be found here again after a crash.
    """

    returned: BitMap
    attempts: dict[int, int]
    losses: dict[int, int]


@dataclass(frozen=True, slots=True)
class Redispatch:
    """A message for an index in `returned`. It is pushed only while `attempt` is the index's newest attempt."""

    index: int
    priority: int
    message: bytes
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`fence` is the one to use from now on; `queued` left the lists, `running` the unacked hashes; `kept` messages
    stay in the lists because they are no fresh items (subtasks, retries that a task asked for)."""

    fence: Fence
    queued: BitMap
    running: BitMap
    kept: int


@dataclass(frozen=True, slots=True)
class Requeued:
    """`returned` are back in the queue; `quarantined` are not, because too many workers died holding them;
    `others` counts messages back in the queue that are no items."""

    returned: BitMap
    quarantined: BitMap
    others: int
