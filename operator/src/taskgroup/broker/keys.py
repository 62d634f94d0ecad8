"""The names under which a group and a pool live in Redis, so that scripts, workers and tests agree on them."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgroup.core.hooks import ALL_STEPS

PRIORITIES = 10
"""Priorities 0 to 9; 9 is the most urgent."""
_SEPARATOR = "\x06\x16"
_STEPS = (0, 3, 6, 9)


def kombu_priority(priority: int) -> int:
    """Kombu's number for a priority: on Redis 0 is served first, so the scale is turned round."""
    if not 0 <= priority < PRIORITIES:
        raise ValueError(f"The priority {priority} is outside 0 to {PRIORITIES - 1}.")
    return PRIORITIES - 1 - priority


def list_number(kombu: int) -> int:
    """Which of the four lists kombu keeps messages of this kombu priority in; list 0 is served first."""
    return sum(kombu >= step for step in _STEPS[1:])


@dataclass(frozen=True, slots=True)
class BookKeys:
    """The keys of one group's books. `prefix` is the user's globalKeyPrefix."""

    prefix: str
    uid: str

    @property
    def state(self) -> str:
        """Hash: nonce, epoch and per priority `cursor:<priority>`."""
        return f"{self.prefix}taskgroup:{self.uid}"

    @property
    def returned(self) -> str:
        """Set of units that wait to be dispatched: again, or, when they are later steps, for the first time."""
        return f"{self.state}:returned"

    @property
    def attempts(self) -> str:
        """Hash: unit to the number of its newest attempt; absent is 0."""
        return f"{self.state}:attempts"

    @property
    def losses(self) -> str:
        """Hash: unit (task id for what is none) to the number of workers that died holding it."""
        return f"{self.state}:losses"

    @property
    def items(self) -> str:
        """Hash: what a pod has read from spec.itemsFrom, in pieces; see `core/items/handover.py`."""
        return f"{self.state}:items"

    def released(self, step: int) -> str:
        """Bits by index: whether this step, from 1, was released. A bit where a member of a set takes 60 bytes."""
        return f"{self.state}:released:{step}"

    @property
    def all(self) -> list[str]:
        """Every key."""
        released = map(self.released, range(1, ALL_STEPS))
        return [self.state, self.returned, self.attempts, self.losses, *released]


@dataclass(frozen=True, slots=True)
class PoolKeys:
    """The keys of one pool's queue and of its workers. kombu puts `prefix` before each of its own keys."""

    prefix: str
    pool: str

    @property
    def queue(self) -> str:
        """The Celery queue's name, as workers get it by -Q: without the prefix."""
        return f"taskgroup-{self.pool}"

    @property
    def lists(self) -> tuple[str, ...]:
        """The four lists of the queue, the one that is served first in front."""
        base = self.prefix + self.queue
        return tuple(f"{base}{_SEPARATOR}{step}" if step else base for step in _STEPS)

    @property
    def bindings(self) -> tuple[str, ...]:
        """The sets in which kombu remembers the bindings of the queue's exchange; 5.7 keeps a second one."""
        return tuple(f"{self.prefix}_kombu.{kind}.{self.queue}" for kind in ("binding", "binding_permanent"))

    @property
    def pods(self) -> str:
        """Set: names of the pods that may hold messages, so that they are found when nobody lists them any more."""
        return f"{self.prefix}taskgroup:{self.pool}:pods"

    def unacked(self, pod: str) -> str:
        """Hash: delivery tag to a message that the pod took and has not acknowledged."""
        return f"{self.prefix}taskgroup:{self.pool}:unacked:{pod}"

    def unacked_index(self, pod: str) -> str:
        """Sorted set: delivery tag by the time (epoch seconds, the worker's clock) at which the pod took it."""
        return f"{self.prefix}taskgroup:{self.pool}:unacked_index:{pod}"

    def unacked_mutex(self, pod: str) -> str:
        """Lock of kombu's own restore."""
        return f"{self.prefix}taskgroup:{self.pool}:unacked_mutex:{pod}"

    def of_pods(self, pods: Sequence[str]) -> list[str]:
        """Every key that workers named `pods` keep for themselves."""
        return [key(pod) for pod in pods for key in (self.unacked, self.unacked_index, self.unacked_mutex)]

    def worker_options(self, pod: str) -> dict[str, str]:
        """Entries for a worker's broker_transport_options; kombu adds the prefix to them itself."""
        bare = PoolKeys("", self.pool)
        return {
            "unacked_key": bare.unacked(pod),
            "unacked_index_key": bare.unacked_index(pod),
            "unacked_mutex_key": bare.unacked_mutex(pod),
        }
