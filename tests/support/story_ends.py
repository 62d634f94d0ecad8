"""How a group must have ended, whatever happened to it."""

from support.world import World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import StageState
from taskgroup.core.groups.item_hooks import STATUS_FIELDS
from taskgroup.core.hooks import Hook
from taskgroup.core.indexes import Indexes
from taskgroup.core.status.conditions import find, is_true


def is_partial(world: World) -> bool:
    """Whether the group is Complete with what there was when its time was up."""
    complete = find(world.status, ConditionType.COMPLETE)
    return complete is not None and (complete.status, complete.reason) == ("True", Reason.DEADLINE_REACHED)


def is_good(world: World, good: Indexes, bad: Indexes) -> bool:
    """Whether enough items have succeeded, and not too many failed, or one by which the group fails."""
    if world.spec.retry_policy and bad:
        failed = find(world.status, ConditionType.FAILED)
        if failed and failed.reason == Reason.RETRY_POLICY:
            return False
    wanted, most = world.spec.success_policy, world.spec.max_failed_items
    percent = wanted.succeeded_percent if wanted and wanted.succeeded_percent else 100
    return 100 * len(good) >= percent * (world.status.total or 0) and (most is None or len(bad) <= most)


def has_items(world: World) -> bool:
    """Whether items could run: what comes before them, if anything does, has succeeded."""
    before = world.status.before
    assert (before is None) == (world.spec.before is None)
    return before is None or before.state is StageState.SUCCEEDED


def was_told(world: World) -> bool:
    """Whether what runs on failure has run to an end, where the group has failed.

    Otherwise it never has, but in a group that failed before it was run again.
    """
    is_failed = is_true(world.status, ConditionType.FAILED)
    hook = world.status.on_failure
    if world.spec.on_failure is None or not is_failed:
        return hook is None or world.retries > 0
    return hook is not None and hook.state in (StageState.SUCCEEDED, StageState.FAILED)


def hooks_ended(world: World, good: Indexes, bad: Indexes) -> bool:
    """Whether what runs once for an item has run to an end for each that ended so, unless the group was cut short."""
    ends = {Hook.ON_ITEM_SUCCESS: good, Hook.ON_ITEM_FAILURE: bad}
    return all(_hook_ended(world, hook, ends[hook] & world.work.entries) for hook in world.work.hooks)


def _hook_ended(world: World, hook: Hook, items: Indexes) -> bool:
    status = getattr(world.status, STATUS_FIELDS[hook])
    if status is None:
        return not items
    is_cut = world.spec.cancel or world.spec.active_deadline_seconds is not None
    is_whole = status.succeeded + status.failed + status.cancelled >= len(items)
    return status.pending == 0 and is_whole and (status.cancelled == 0 or is_cut)


def called_back(world: World) -> bool:
    """Whether the callback, if there is one, has succeeded."""
    callback = world.status.callback
    assert (callback is None) == (world.spec.callback is None)
    if callback is None:
        return True
    assert callback.state in (StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED)
    return callback.state is StageState.SUCCEEDED
