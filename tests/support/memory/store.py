"""What a broker in memory holds: messages as objects, books as sets, and whatever pods took."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from taskgroup.broker.keys import kombu_priority, list_number
from taskgroup.broker.port import Owner
from taskgroup.core.groups.observed import Fence
from taskgroup.core.task_id import TaskId
from taskgroup.transport.errors import BrokerError

_TAGS = itertools.count()


@dataclass(slots=True)
class Message:
    """One message; `urgency` 0 is served first."""

    id: str
    urgency: int = 0
    retries: int = 0

    @property
    def item(self) -> TaskId | None:
        """The attempt of a unit that it is; None for a subtask."""
        return TaskId.parse(self.id)


@dataclass(slots=True)
class Books:
    """The books of one group."""

    nonce: str
    epoch: int = 1
    cursors: dict[int, int] = field(default_factory=dict)
    returned: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)
    shared: Counter[int] = field(default_factory=Counter)
    """Losses beside others, from the limit on."""
    owner: Owner | None = None

    def is_newest(self, item: TaskId) -> bool:
        """Whether no later attempt of the unit has begun."""
        return self.attempts.get(item.unit, 0) == item.attempt


@dataclass(slots=True)
class Held:
    """A message that a pod took and has not acknowledged."""

    message: Message
    taken_at: float
    tag: str = field(default_factory=lambda: f"tag-{next(_TAGS)}")
    dropped: bool = False
    """The worker has lost its connection since and knows nothing of it any more."""


def nothing() -> None:
    """No effect."""


@dataclass(slots=True)
class Store:
    """All groups and pools of one broker."""

    effect: Callable[[], None] = nothing
    """Called before and after every change, so that a story can end an operator there."""
    trouble: BrokerError | None = None
    """Raised by every call while it is set."""
    books: dict[str, Books] = field(default_factory=dict)
    items: dict[str, dict[int | None, bytes]] = field(default_factory=dict)
    """Uid to what a pod has read for the group."""
    tombstones: set[str] = field(default_factory=set)
    queues: dict[str, list[Message]] = field(default_factory=dict)
    hands: dict[tuple[str, str], list[Held]] = field(default_factory=dict)
    remembered: dict[str, set[str]] = field(default_factory=dict)
    """Pool to the pods whose names are written down."""
    args: list[Any] = field(default_factory=list)
    """Arguments of all messages that were ever put on a queue."""
    sent: Counter[str] = field(default_factory=Counter)
    """How often each message was put on a queue and not taken from it again unrun."""
    begun: dict[str, None] = field(default_factory=dict)
    """Each message that a worker ever took, in their order."""
    stale: set[str] = field(default_factory=set)
    """Those that ended when a newer attempt had begun."""
    allowed: Counter[str] = field(default_factory=Counter)
    """How often more than once it may be, because it was found missing."""

    def check(self) -> None:
        """The trouble, if there is one."""
        if self.trouble is not None:
            raise self.trouble

    def fenced(self, uid: str, fence: Fence) -> Books | None:
        """The books, when they are those that the caller believes in."""
        self.check()
        books = self.books.get(uid)
        return books if books and (books.nonce, books.epoch) == (fence.nonce, fence.epoch) else None

    def push(self, pool: str, raw: bytes, priority: int) -> None:
        """Put a rendered message last in line."""
        head = orjson.loads(raw)
        message = Message(head["id"], list_number(kombu_priority(priority)), head["retries"])
        self.sent[message.id] += 1
        self.args.append(head["args"])
        self.queues.setdefault(pool, []).append(message)

    def take(self, pool: str, pod: str, now: float) -> Message | None:
        """What a worker does: the most urgent message, the oldest of these."""
        queue = self.queues.get(pool)
        if not queue:
            return None
        message = min(queue, key=lambda waiting: waiting.urgency)
        queue.remove(message)
        self.begun[message.id] = None
        self.hands.setdefault((pool, pod), []).append(Held(message, now))
        return message

    def acknowledge(self, pool: str, pod: str, message: Message) -> None:
        """The worker has stored the result."""
        hand = self.hands.get((pool, pod), [])
        hand[:] = [held for held in hand if held.message is not message or held.dropped]

    def drop(self, pool: str, pod: str) -> None:
        """The worker loses its connection: what it holds is forgotten there, not here."""
        for held in self.hands.get((pool, pod), ()):
            held.dropped = True

    def held(self, pool: str) -> dict[str, list[Held]]:
        """Pod to what it holds, for those that hold something."""
        return {pod: hand for (name, pod), hand in self.hands.items() if name == pool and hand}

    def lose_all(self) -> None:
        """All data are lost, and with them the promise that nothing is sent twice so far."""
        for part in (self.books, self.items, self.tombstones, self.queues, self.hands, self.remembered, self.sent):
            part.clear()
