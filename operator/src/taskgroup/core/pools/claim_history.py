"""What workers said of the messages that they hold, as frozen values: the last looks at their claims."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from taskgroup.core.task_id import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unacked:
    """One unacknowledged message of a pod."""

    tag: str
    """Names this delivery, and no other."""
    taken_at: float
    """Seconds since the epoch, by the worker's clock."""
    id: str
    """Of its task."""
    task: str = ""
    eta: float | None = None
    """Not before this time (seconds since the epoch)."""
    limit: float | None = None
    """Hard time limit in seconds."""

    @property
    def item(self) -> TaskId | None:
        """None for a subtask."""
        return TaskId.parse(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one worker says that it has."""

    ids: frozenset[str]
    """Task ids: running, waiting, or with an ETA."""
    running: int = 0
    """How many of them run."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Task to its rate limit in runs a second: what waits for it is in none of the worker's lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLook:
    """One look: what pods held, then what their workers claimed, then what had a result."""

    at: float
    """When it began; seconds since the epoch."""
    containers: Mapping[str, str] = field(default_factory=dict)
    """Pod to its container (pod/restarts)."""
    held: Mapping[str, tuple[Unacked, ...]] = field(default_factory=dict)
    """Pod to its messages; the oldest ones when there are very many."""
    claims: Mapping[str, Claims] = field(default_factory=dict)
    """Pod to its worker's answer; a silent one is absent."""
    ended: frozenset[str] = frozenset()
    """Task ids that have a result."""

    def without(self, tags: frozenset[str]) -> "ClaimLook":
        """As if these messages had not been seen."""
        held = {pod: tuple(entry for entry in entries if entry.tag not in tags) for pod, entries in self.held.items()}
        return replace(self, held=held)

    @property
    def tags(self) -> frozenset[str]:
        """Of all messages."""
        return frozenset(entry.tag for entries in self.held.values() for entry in entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimHistory:
    """The last two looks at most, the older first, and when to look again."""

    looks: tuple[ClaimLook, ...] = ()
    asked_at: float | None = None
    """When the last look began, also one that failed; seconds since the epoch."""
    calm: int = 0
    """Looks in a row after which nothing was left open: the more, the seldomer."""

    def without(self, tags: frozenset[str]) -> "ClaimHistory":
        """As if these messages had not been seen."""
        return replace(self, looks=tuple(look.without(tags) for look in self.looks)) if tags else self
