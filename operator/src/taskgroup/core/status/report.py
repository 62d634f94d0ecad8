"""The status as its readers see it: counts, index lists, failures and conditions, all made in one place."""

from collections.abc import Mapping
from typing import Any

from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import (
    MAX_FAILURES,
    MAX_FAILURES_BYTES,
    MAX_INDEXES_BYTES,
    FailureStatus,
    HooksStatus,
    ItemsStatus,
    TaskGroupStatus,
    WorkersStatus,
)
from taskgroup.core.failure_groups import FailureGroup
from taskgroup.core.groups import item_hooks
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.pace import rate_text
from taskgroup.core.groups.stage_progress import STATUS_FIELDS, written_stages
from taskgroup.core.hooks import Hook
from taskgroup.core.indexes import format_indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.condition_texts import condition_texts
from taskgroup.core.status.conditions import merged, timestamp
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.status.state import state_of
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.text import shortened

FAILURE_INDEXES = 512


def report(seen: Observed, shown: StatusInput, now: float) -> TaskGroupStatus:
    """The status to write; equal to the last one when nothing changed that a reader would see."""
    desired = condition_texts(seen, shown)
    fields: dict[str, Any] = {
        "observed_generation": seen.meta.generation,
        "workers": _workers(seen),
        "conditions": merged(seen.status.conditions or (), desired, seen.meta.generation, now),
    }
    fields["last_retry_id"] = shown.retry_id or seen.status.last_retry_id
    is_over = phase_of(seen.status) in (Phase.DECIDED, Phase.FINISHED) and shown.phase is not Phase.RUNNING
    fields["completion_time"] = shown.completion_time or (seen.status.completion_time if is_over else None)
    suspended = desired[ConditionType.SUSPENDED].status == "True"
    if is_over:
        fields["state"] = state_of(seen, shown, suspended=suspended)
        fields["on_failure"] = shown.stages.get(Stage.ON_FAILURE) or seen.status.on_failure
        return seen.status.model_copy(update=fields)
    return TaskGroupStatus(**_figures(seen, shown, suspended=suspended), **fields)


def _figures(seen: Observed, shown: StatusInput, *, suspended: bool) -> dict[str, Any]:
    """What the outcome freezes: it stays as it was written then, even when the books are lost later."""
    if shown.retry_id is None and _is_behind(seen, shown.ledger):
        return _as_shown(seen, shown, suspended=suspended)
    ledger = shown.ledger
    completed, whole = format_indexes(ledger.succeeded, MAX_INDEXES_BYTES)
    failed, failed_whole = format_indexes(ledger.failed, MAX_INDEXES_BYTES)
    are_whole = whole and failed_whole
    return {
        "state": state_of(seen, shown, suspended=suspended),
        "start_time": shown.start_time or seen.status.start_time,
        **(_counts(shown) if ledger.total or _is_empty(seen) else {}),
        "completed_indexes": completed if are_whole else None,
        "failed_indexes": failed if are_whole else None,
        "indexes_truncated": None if are_whole else True,
        "failures": _digest(ledger.failures, tracebacks=seen.spec is None or seen.spec.failure_tracebacks) or None,
        "items": _items(seen, shown),
        **_stages(seen, shown),
        **_hooks({**item_hooks.written(seen.status), **shown.hooks}),
        **_pace(shown),
    }


def _stages(seen: Observed, shown: StatusInput) -> dict[str, Any]:
    """What runs once for the group."""
    known = {**written_stages(seen.status), **shown.stages}
    return {STATUS_FIELDS[stage]: known.get(stage) for stage in Stage}


def _hooks(shown: Mapping[Hook, HooksStatus]) -> dict[str, Any]:
    """What runs once for an item."""
    return {item_hooks.STATUS_FIELDS[hook]: one for hook, one in shown.items()}


def _pace(shown: StatusInput) -> dict[str, Any]:
    pace = shown.pace
    if pace is None or pace.rate is None or pace.estimate is None:
        return {}
    return {"rate": rate_text(pace.rate), "estimated_completion_time": timestamp(pace.estimate)}


def _is_behind(seen: Observed, ledger: Ledger) -> bool:
    """Fewer ends are known than were shown, as after a restart: the results are read again, and no count goes back."""
    status = seen.status
    return len(ledger.succeeded) + len(ledger.failed) < (status.succeeded or 0) + (status.failed or 0)


def _as_shown(seen: Observed, shown: StatusInput, *, suspended: bool) -> dict[str, Any]:
    """The figures that were written last, of the items that there are now."""
    status, total = seen.status, shown.ledger.total
    left = total - (status.succeeded or 0) - (status.failed or 0)
    cancelled = left if shown.ledger.cancelled else 0
    active = min(shown.active - shown.self_retried, left - cancelled)
    retrying = min(_retrying(shown), left - cancelled - active)
    ended = total - left + cancelled
    names = ("succeeded", "failed", "messages", "completed_indexes", "failed_indexes", "indexes_truncated", "failures")
    return {
        **{name: getattr(status, name) for name in names},
        "state": state_of(seen, shown, suspended=suspended),
        "start_time": status.start_time,
        "total": total,
        "pending": left - cancelled - active - retrying,
        "retrying": retrying,
        "active": active,
        "cancelled": cancelled,
        "progress": f"{ended}/{total}",
        "percent": 100 * ended // total if total else 0,
        **_stages(seen, shown),
        **_hooks(item_hooks.written(seen.status)),
        "items": _items(seen, shown),
    }


def _is_empty(seen: Observed) -> bool:
    """A list that was found may have no entry."""
    return seen.work is not None and seen.work.found_items


def _counts(shown: StatusInput) -> dict[str, Any]:
    """None of them while nobody could read how many items there are: 0/0 would look like an empty group."""
    ledger, active, retrying = shown.ledger, shown.active - shown.self_retried, _retrying(shown)
    ended = len(ledger.ended)
    return {
        "total": ledger.total,
        "pending": ledger.total - ended - active - retrying,
        "retrying": retrying,
        "active": active,
        "succeeded": len(ledger.succeeded),
        "failed": len(ledger.failed),
        "cancelled": len(ledger.cancelled),
        "progress": f"{ended}/{ledger.total}",
        "messages": _messages(ledger),
        "percent": 100 * ended // ledger.total if ledger.total else 100,
    }


def _messages(ledger: Ledger) -> str | None:
    if ledger.chunks.size == 1:
        return None
    total = len(ledger.chunks.entries(ledger.total))
    return f"{total - ledger.open_entries}/{total}"


def _retrying(shown: StatusInput) -> int:
    """Items that wait for another attempt, or whose task asked for another run."""
    return shown.ledger.count_items(shown.ledger.retrying) + shown.self_retried


def _digest(groups: tuple[FailureGroup, ...], *, tracebacks: bool) -> list[FailureStatus]:
    """The most frequent first, within a budget of bytes; tracebacks get what the failures themselves leave of it."""
    ordered = sorted(groups, key=lambda group: (-len(group.indexes), group.indexes.min()))[:MAX_FAILURES]
    failures: list[FailureStatus] = []
    left = MAX_FAILURES_BYTES
    for failure in map(_failure, ordered):
        left -= _size(failure)
        if failures and left < 0:
            break
        failures.append(failure)
    if tracebacks:
        _add_tracebacks(failures, ordered, left)
    return failures


def _add_tracebacks(failures: list[FailureStatus], groups: list[FailureGroup], left: int) -> None:
    for position, (failure, group) in enumerate(zip(failures, groups, strict=False)):
        longer = failure.model_copy(update={"traceback": group.failure.traceback or None})
        left -= _size(longer) - _size(failure)
        if left < 0:
            return
        failures[position] = longer


def _size(failure: FailureStatus) -> int:
    return len(failure.model_dump_json(exclude_none=True).encode())


def _failure(group: FailureGroup) -> FailureStatus:
    text, whole = format_indexes(group.indexes, FAILURE_INDEXES - 2)
    return FailureStatus(
        reason=group.failure.reason[:256],
        message=shortened(group.failure.message, 1024),
        count=len(group.indexes),
        indexes=text if whole else f"{text},…",
        last_time=timestamp(group.last_time),
    )


def _workers(seen: Observed) -> WorkersStatus | None:
    """As the pool says; while it has said nothing, as it was written last."""
    view = seen.view
    if view is None:
        return seen.status.workers or WorkersStatus(replicas=0, ready=0, busy=0)
    return WorkersStatus(replicas=view.replicas, ready=view.ready, busy=view.busy)


def _items(seen: Observed, shown: StatusInput) -> ItemsStatus | None:
    """The fingerprint follows appended items, but never ones that contradict those already taken over."""
    contradicted = shown.configuration is not None and shown.configuration.reason != Reason.UNKNOWN_TASK
    if seen.work is None or contradicted or (seen.work.awaits_items and seen.status.items is not None):
        return seen.status.items
    work = seen.work
    chunks = {}
    if work.chunking.takes_items:
        chunks = {"chunk_size": work.chunks.size, "chunk_starts": work.chunks.starts_text(work.total)}
    return ItemsStatus(count=work.total, sha256=work.digest(work.total), **chunks)
