"""What the loops tell whoever measures them, as Protocols: they know nothing of Prometheus.

What is told of a status is told after its write. `UNMEASURED` is for tests and commands.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from taskgroup.core.groups.figures import GroupFigures
from taskgroup.core.meta import Meta


class Controller(StrEnum):
    """Which loop."""

    TASKGROUP = "taskgroup"
    WORKERS = "workers"


class Step(StrEnum):
    """A part of one look."""

    OBSERVE = "observe"
    DECIDE = "decide"
    APPLY = "apply"


class Fault(StrEnum):
    """What a look failed by. A conflict is none: somebody else wrote first, and the loop looks again."""

    KUBERNETES = "kubernetes"
    BROKER = "broker"
    BUG = "bug"


class Move(StrEnum):
    """What became of items, besides their end."""

    DISPATCHED = "dispatched"
    REDISPATCHED = "redispatched"
    WITHDRAWN = "withdrawn"
    MISSING = "missing"
    INTERRUPTED = "interrupted"
    RETRIED = "retried"
    DIED = "died"
    """A worker died with them."""


class Saved(StrEnum):
    """How a save of a ledger ended."""

    SUCCESS = "success"
    CONFLICT = "conflict"
    ERROR = "error"


class LookMetrics(Protocol):
    """Of both loops."""

    def took(self, controller: Controller, step: Step, seconds: float) -> None:
        """One step of a look."""

    def succeeded(self, controller: Controller) -> None:
        """A whole look."""

    def conflicted(self, controller: Controller) -> None:
        """A look that has to be repeated because somebody else was first."""

    def failed(self, controller: Controller, fault: Fault) -> None:
        """A look that failed."""


class GroupMetrics(Protocol):
    """Of one group."""

    def show(self, meta: Meta, figures: GroupFigures) -> None:
        """What its written status says, and what was seen with it."""

    def refresh(self, meta: Meta, figures: GroupFigures) -> None:
        """What is seen beside a status that stands. It is no change of the group."""

    def moved(self, meta: Meta, move: Move, items: int) -> None:
        """Items were moved."""

    def dispatched(self, size: int, seconds: float) -> None:
        """One batch of so many bytes took so long."""

    def ended(self, meta: Meta, items: int, seconds: float) -> None:
        """So many items ended, so long after their dispatch."""

    def ran(self, meta: Meta, seconds: Sequence[float]) -> None:
        """How long the last attempts of ended items ran, of those that say it."""

    def saved(self, meta: Meta, result: Saved, size: int) -> None:
        """A ledger of so many bytes."""

    def unsaved(self, meta: Meta) -> None:
        """A changed ledger waits to be saved."""


class PoolMetrics(Protocol):
    """Of one group's workers."""

    def moved(self, meta: Meta, move: Move, items: int) -> None:
        """What a worker held was moved."""

    def pods_started(self, meta: Meta, pods: int) -> None:
        """So many pods appeared."""

    def restarted(self, meta: Meta, containers: int) -> None:
        """So many containers ended in a pod and were started again in it."""


class Metrics(LookMetrics, GroupMetrics, PoolMetrics, Protocol):
    """All of them."""


class _Unmeasured:
    """Tells nobody."""

    def took(self, controller: Controller, step: Step, seconds: float) -> None: ...
    def succeeded(self, controller: Controller) -> None: ...
    def conflicted(self, controller: Controller) -> None: ...
    def failed(self, controller: Controller, fault: Fault) -> None: ...
    def show(self, meta: Meta, figures: GroupFigures) -> None: ...
    def refresh(self, meta: Meta, figures: GroupFigures) -> None: ...
    def moved(self, meta: Meta, move: Move, items: int) -> None: ...
    def dispatched(self, size: int, seconds: float) -> None: ...
    def ended(self, meta: Meta, items: int, seconds: float) -> None: ...
    def ran(self, meta: Meta, seconds: Sequence[float]) -> None: ...
    def saved(self, meta: Meta, result: Saved, size: int) -> None: ...
    def unsaved(self, meta: Meta) -> None: ...
    def pods_started(self, meta: Meta, pods: int) -> None: ...
    def restarted(self, meta: Meta, containers: int) -> None: ...


UNMEASURED: Metrics = _Unmeasured()
