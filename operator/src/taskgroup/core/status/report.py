"""The status as its readers see it: counts, index lists, failures and conditions, all made in one place."""

from typing import Any

from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.api.status import (
    MAX_FAILURES,
    MAX_FAILURES_BYTES,
    MAX_INDEXES_BYTES,
    Failure,
    ItemsStatus,
    TaskGroupStatus,
    WorkersStatus,
)
from taskgroup.core.groups.observed import Observed
from taskgroup.core.indexes import format_indexes
from taskgroup.core.ledger import FailureGroup
from taskgroup.core.status.condition_texts import StatusInput, condition_texts
from taskgroup.core.status.conditions import merged, timestamp
from taskgroup.core.status.phase import Phase, phase_of

FAILURE_INDEXES = 512


def report(seen: Observed, facts: StatusInput, now: float) -> TaskGroupStatus:
    """The status to write; equal to the last one when nothing changed that a reader would see."""
    made = condition_texts(seen, facts)
    around: dict[str, Any] = {
        "observed_generation": seen.meta.generation,
        "workers": _workers(seen),
        "conditions": merged(seen.status.conditions or (), made, seen.meta.generation, now),
    }
    suspended = made[ConditionType.SUSPENDED].status == "True"
    if phase_of(seen.status) in (Phase.DECIDED, Phase.FINISHED):
        end = facts.completion_time or seen.status.completion_time
        around |= {"state": state_of(facts, suspended=suspended), "completion_time": end}
        return seen.status.model_copy(update=around)
    return TaskGroupStatus(**_figures(seen, facts, suspended=suspended), **around)


def _figures(seen: Observed, facts: StatusInput, *, suspended: bool) -> dict[str, Any]:
    """What the outcome freezes: it stays as it was written then, even when the books are lost later."""
    ledger = facts.ledger
    completed, whole = format_indexes(ledger.succeeded, MAX_INDEXES_BYTES)
    failed, failed_whole = format_indexes(ledger.failed, MAX_INDEXES_BYTES)
    shown = whole and failed_whole
    ended = len(ledger.ended)
    return {
        "state": state_of(facts, suspended=suspended),
        "start_time": facts.start_time or seen.status.start_time,
        "total": ledger.total,
        "pending": ledger.total - ended - facts.active,
        "active": facts.active,
        "succeeded": len(ledger.succeeded),
        "failed": len(ledger.failed),
        "cancelled": len(ledger.cancelled),
        "progress": f"{ended}/{ledger.total}",
        "percent": 100 * ended // ledger.total if ledger.total else 0,
        "completed_indexes": completed if shown else None,
        "failed_indexes": failed if shown else None,
        "indexes_truncated": None if shown else True,
        "failures": _digest(ledger.failures) or None,
        "items": _items(seen, facts),
    }


def state_of(facts: StatusInput, *, suspended: bool) -> State:
    """One word for the whole."""
    if facts.phase is Phase.FINISHED:
        return State.COMPLETE if facts.verdict and facts.verdict.success else State.FAILED
    if suspended:
        return State.SUSPENDED
    return State.PENDING if facts.phase is Phase.NEW else State.RUNNING


def _digest(groups: tuple[FailureGroup, ...]) -> list[Failure]:
    ordered = sorted(groups, key=lambda group: (-len(group.indexes), group.indexes.min()))
    shown: list[Failure] = []
    left = MAX_FAILURES_BYTES
    for failure in map(_failure, ordered[:MAX_FAILURES]):
        left -= len(failure.model_dump_json().encode())
        if shown and left < 0:
            break
        shown.append(failure)
    return shown


def _failure(group: FailureGroup) -> Failure:
    text, whole = format_indexes(group.indexes, FAILURE_INDEXES - 2)
    return Failure(
        reason=group.reason[:256],
        message=group.message[:1024],
        count=len(group.indexes),
        indexes=text if whole else f"{text},…",
        last_time=timestamp(group.last_time),
    )


def _workers(seen: Observed) -> WorkersStatus:
    deployment = seen.workers.deployment
    busy = sum(1 for count in seen.broker.unacked.values() if count) if seen.broker else 0
    alive = sum(1 for pod in seen.workers.pods if not pod.ended)
    return WorkersStatus(replicas=alive, ready=deployment.ready if deployment else 0, busy=busy)


def _items(seen: Observed, facts: StatusInput) -> ItemsStatus | None:
    """The fingerprint follows appended items, but never ones that contradict those already taken over."""
    contradicted = facts.configuration is not None and facts.configuration.reason != Reason.UNKNOWN_TASK
    if seen.work is None or contradicted:
        return seen.status.items
    return ItemsStatus(count=seen.work.total, sha256=seen.work.digest(seen.work.total))
