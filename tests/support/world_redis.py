"""One group in the broker, as the scripts keep it: enough for the algebra of plans, no stand-in for Redis."""

from collections import Counter
from dataclasses import dataclass, field

from pyroaring import FrozenBitMap

from taskgroup.core.groups.observed import FailedItem
from taskgroup.core.groups.recovery import MAX_LOSSES


@dataclass(frozen=True, slots=True)
class Message:
    """A task id."""

    index: int
    attempt: int


@dataclass
class Books:
    """Redis: lists, unacknowledged messages by pod, results, and the hash with cursors and attempts."""

    nonce: str | None = None
    epoch: int = 0
    cursors: dict[int, int] = field(default_factory=dict)
    returned: set[int] = field(default_factory=set)
    attempts: Counter[int] = field(default_factory=Counter)
    losses: Counter[int] = field(default_factory=Counter)
    queue: list[Message] = field(default_factory=list)
    unacked: dict[str, list[Message]] = field(default_factory=dict)
    orphaned: dict[str, list[Message]] = field(default_factory=dict)
    """Unacknowledged by a container that has ended while its pod goes on."""
    results: dict[Message, FailedItem | None] = field(default_factory=dict)
    """None is SUCCESS."""
    sent: Counter[Message] = field(default_factory=Counter)
    """How often each message was put on the queue and not taken from it again unrun."""
    allowed: Counter[Message] = field(default_factory=Counter)
    """How often more than once it may be, because it was found nowhere."""

    def open(self, nonce: str, cursors: dict[int, int], attempts: dict[int, int], returned: FrozenBitMap) -> None:
        """Begins the books unless they are these already."""
        if self.nonce == nonce:
            return
        self.nonce, self.epoch, self.cursors, self.returned = nonce, 1, dict(cursors), set(returned)
        self.attempts, self.losses, self.queue = Counter(attempts), Counter(), []

    def push(self, indexes: FrozenBitMap) -> None:
        """One message for each, under its newest attempt."""
        for index in indexes:
            message = Message(index, self.attempts[index])
            self.sent[message] += 1
            self.queue.append(message)

    def dispatch(self, lane: int, start: int, indexes: FrozenBitMap) -> bool:
        """False, and nothing happens, when the cursor is not where the plan saw it."""
        if self.cursors.get(lane, 0) != start:
            return False
        self.push(indexes)
        self.cursors[lane] = start + len(indexes)
        return True

    def redispatch(self, indexes: FrozenBitMap) -> FrozenBitMap:
        """What was still waiting, and is on the queue now."""
        sent = FrozenBitMap(index for index in indexes if index in self.returned)
        self.returned -= set(sent)
        self.push(sent)
        return sent

    def withdraw(self, *, running: bool) -> FrozenBitMap:
        """Takes the group's messages off the queue, and with `running` out of the workers' hands."""
        self.epoch += 1
        taken, self.queue = self.queue, []
        self.sent.subtract(taken)
        if running:
            taken = [*taken, *self.in_hands()]
            self.unacked, self.orphaned = {}, {}
        back = FrozenBitMap(message.index for message in taken if message.attempt == self.attempts[message.index])
        self.returned |= set(back)
        return back

    def renew(self, indexes: FrozenBitMap) -> dict[int, int]:
        """A new attempt for each."""
        for index in indexes:
            self.attempts[index] += 1
            self.returned.add(index)
        return {index: self.attempts[index] for index in indexes}

    def mark_missing(self, indexes: FrozenBitMap) -> None:
        """They wait again, under the id that they have."""
        for index in indexes:
            self.returned.add(index)
            self.allowed[Message(index, self.attempts[index])] += 1

    def requeue(self, pod: str, *, dead_only: bool, count_loss: bool) -> FrozenBitMap:
        """What an ended worker held goes back; returns those that have killed too many."""
        poison = []
        for message in self.orphaned.pop(pod, []) + ([] if dead_only else self.unacked.pop(pod, [])):
            if message.attempt != self.attempts[message.index] or message.index in self.returned:
                continue
            self.losses[message.index] += count_loss
            if self.losses[message.index] > MAX_LOSSES:
                poison.append(message.index)
            else:
                self.queue.append(message)
        return FrozenBitMap(poison)

    def held(self) -> dict[str, int]:
        """Pod to the number of messages that it, or a container it had before, took and did not acknowledge."""
        pods = self.unacked.keys() | self.orphaned.keys()
        counts = {pod: len(self.unacked.get(pod, ())) + len(self.orphaned.get(pod, ())) for pod in sorted(pods)}
        return {pod: count for pod, count in counts.items() if count}

    def in_hands(self) -> list[Message]:
        """Everything unacknowledged."""
        return [message for part in (self.unacked, self.orphaned) for held in part.values() for message in held]

    def lose(self, choice: int) -> None:
        """A message vanishes."""
        if self.queue:
            self.queue.pop(choice % len(self.queue))

    def flush(self) -> None:
        """All data are lost, and with them the promise that nothing is sent twice so far."""
        self.nonce, self.epoch, self.cursors, self.returned, self.queue = None, 0, {}, set(), []
        self.unacked, self.orphaned = {}, {}
        for counts in (self.attempts, self.losses, self.results, self.sent):
            counts.clear()
