"""Kubernetes events: one at each turn, made by comparing the status before and after, so a restart repeats none."""

from collections.abc import Iterator

from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import Condition, StageState, TaskGroupStatus
from taskgroup.core.groups.plan import Event
from taskgroup.core.status.conditions import find, is_true
from taskgroup.core.text import one_line

MESSAGE_LENGTH = 200
"""Most characters of a failure's message in an event: the status has all of it."""
MAX_ITEM_EVENTS = 10
"""Distinct failures that get an event of their own."""


def events(old: TaskGroupStatus, new: TaskGroupStatus) -> tuple[Event, ...]:
    """What happened between two statuses, in the order in which it reads well."""
    happened = (*_started(old, new), *_suspension(old, new), *_troubles(old, new), *_items(old, new))
    return (*happened, *_hooks(old, new), *_end(old, new))


def _started(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    if new.start_time and not old.start_time:
        text = f"Started with {new.total} items." if new.total is not None else "Started; spec.before finds the items."
        yield Event(EventReason.STARTED, text)


def _suspension(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    before, after = is_true(old, ConditionType.SUSPENDED), is_true(new, ConditionType.SUSPENDED)
    if after and not before:
        yield Event(EventReason.SUSPENDED, f"Suspended at {new.progress} items.")
    if before and not after and not is_true(new, ConditionType.FINISHED):
        yield Event(EventReason.RESUMED, f"Resumed at {new.progress} items.")


_TROUBLES = (
    (ConditionType.CONFIGURATION_VALID, EventReason.CONFIGURATION_INVALID),
    (ConditionType.BACKEND_REACHABLE, EventReason.BACKEND_UNREACHABLE),
    (ConditionType.WORKERS_READY, EventReason.WORKERS_NOT_READY),
)


def _troubles(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    for kind, reason in _TROUBLES:
        before, after = find(old, kind), find(new, kind)
        if after is not None and after.status == "False" and _is_new(before, after):
            yield Event(reason, after.message, warning=True)


def _is_new(before: Condition | None, after: Condition) -> bool:
    if after.reason == Reason.WORKERS_STARTING:
        return False
    return before is None or before.status != "False" or before.reason != after.reason


def _items(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    known = {(failure.reason, failure.message) for failure in old.failures or ()}
    fresh = [failure for failure in new.failures or () if (failure.reason, failure.message) not in known]
    for failure in fresh[: max(0, MAX_ITEM_EVENTS - len(known))]:
        which = f"Item {failure.indexes}" if failure.count == 1 else f"Items {failure.indexes}"
        message = one_line(failure.message, MESSAGE_LENGTH)
        yield Event(EventReason.ITEM_FAILED, f"{which} failed: {failure.reason}: {message}", warning=True)
    before, after = (old.percent or 0) // 10, (new.percent or 0) // 10
    if before < after < 10 and not is_true(new, ConditionType.FINISHED):
        yield Event(EventReason.PROGRESS, f"{new.progress} items ended, {new.failed} failed.")


def _hooks(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    hook, before = new.on_failure, old.on_failure
    if hook is not None and hook.state is StageState.FAILED and (before is None or before.state is not hook.state):
        message = one_line(hook.message or "", MESSAGE_LENGTH)
        yield Event(EventReason.HOOK_FAILED, f"spec.onFailure failed: {hook.reason}: {message}", warning=True)


def _end(old: TaskGroupStatus, new: TaskGroupStatus) -> Iterator[Event]:
    if is_true(old, ConditionType.FINISHED) or not is_true(new, ConditionType.FINISHED):
        return
    finished = find(new, ConditionType.FINISHED)
    message = finished.message if finished else ""
    if is_true(new, ConditionType.COMPLETE):
        yield Event(EventReason.COMPLETED, message)
    else:
        yield Event(EventReason.FAILED, message, warning=True)
