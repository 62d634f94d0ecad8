"""What a status is made of, besides the observation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from taskgroup.api.status import HooksStatus, StageStatus
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.groups.pace import Pace
from taskgroup.core.hooks import Hook
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.phase import Phase
from taskgroup.core.trouble import Trouble

NO_HOOKS: Mapping[Hook, HooksStatus] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusInput:
    """What was decided, as far as readers see it."""

    phase: Phase
    ledger: Ledger
    active: int = 0
    """Items on the queue or with a worker."""
    self_retried: int = 0
    """Of these, the ones whose task asked for another run."""
    needs_workers: bool = False
    verdict: Verdict | None = None
    stages: Mapping[Stage, StageStatus] = field(default_factory=dict)
    """What became of what runs once for the group; where one is absent, what was written is kept."""
    hooks: Mapping[Hook, HooksStatus] = field(default_factory=lambda: NO_HOOKS)
    """What became of what runs once for an item; where one is absent, what was written is kept."""
    configuration: Trouble | None = None
    start_time: str | None = None
    """RFC 3339; None keeps the written one."""
    completion_time: str | None = None
    retry_id: str | None = None
    """The retry that is taken over now; None keeps what was written."""
    pace: Pace | None = None
    """None while nothing is expected to end."""
