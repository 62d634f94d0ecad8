"""The first argument of spec.onFailure: why the group has failed, and how its items have ended."""

from typing import Any

from taskgroup.api.names import State
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.outcome import decided
from taskgroup.core.ledger import Ledger
from taskgroup.groups.callback_input import summary


def failure_input(status: TaskGroupStatus, ledger: Ledger) -> dict[str, Any]:
    """Names are those of the status."""
    verdict = decided(status)
    told = {"reason": verdict.reason, "message": verdict.message} if verdict else {}
    return {"state": str(State.FAILED), **told, **summary(ledger), "failedIndexes": status.failed_indexes}
