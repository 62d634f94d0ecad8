"""What a status is made of, besides the observation."""

from dataclasses import dataclass

from taskgroup.api.status import CallbackStatus
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.groups.pace import Pace
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.phase import Phase
from taskgroup.core.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusInput:
    """What was decided, as far as readers see it."""

    phase: Phase
    ledger: Ledger
    active: int = 0
    """Items on the queue or with a worker."""
    needs_workers: bool = False
    verdict: Verdict | None = None
    callback: CallbackStatus | None = None
    """What became of the callback; None keeps what was written."""
    configuration: Trouble | None = None
    start_time: str | None = None
    """RFC 3339; None keeps the written one."""
    completion_time: str | None = None
    pace: Pace | None = None
    """None while nothing is expected to end."""
