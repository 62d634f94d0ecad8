"""What to do next for a pool of workers, as data."""

from dataclasses import dataclass
from typing import ClassVar

from taskgroup.core.action import Action
from taskgroup.core.exchange import MAX_LOSSES, SUSPECT_LOSSES, View


@dataclass(frozen=True, slots=True)
class ApplyWorkers(Action):
    """Make the Deployment as the spec wants it, with this many pods."""

    replicas: int


@dataclass(frozen=True, slots=True)
class MarkPods(Action):
    """Tell Kubernetes which pods to stop first: idle ones are cheap."""

    frequent: ClassVar[bool] = True
    idle: tuple[str, ...]
    busy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requeue(Action):
    """Put what a worker held when its container ended back on the queue."""

    pod: str
    restarts: int
    before: float | None
    """Only what was taken up to this time (seconds since the epoch); None for all."""
    count_loss: bool
    loss_limit: int = MAX_LOSSES
    """An item that more workers died with is not put back."""
    suspect_losses: int = SUSPECT_LOSSES
    """An item that so many workers died with waits for the group to send it; 0: none does, ANEW: each does."""


@dataclass(frozen=True, slots=True)
class AskClaims(Action):
    """Ask the workers of these pods which of the messages that they hold they really have."""

    frequent: ClassVar[bool] = True
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Discard(Action):
    """Remove what a live pod still holds although it has ended."""

    frequent: ClassVar[bool] = True
    pod: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class PutBack(Action):
    """Put what a live pod holds, and its worker does not know, back on the queue; no loss."""

    pod: str
    tags: frozenset[str]
    anew: bool = False
    """The group sends it instead."""


@dataclass(frozen=True, slots=True)
class StopPod(Action):
    """Stop one pod in order, and the Deployment makes another; or remove at once one that stops already."""

    pod: str
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """One step: tell the group what the pool is like, then do the actions in order."""

    view: View
    actions: tuple[Action, ...] = ()
    wake_after: float = 30.0
    """Seconds until the next look when nothing wakes the loop before."""
