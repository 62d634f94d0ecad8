"""When a group has ended, and how."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from taskgroup.api.control import OnDeadline
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState, StageStatus, TaskGroupStatus
from taskgroup.core.groups.success import exceeds, is_met, is_out_of_reach, needed
from taskgroup.core.groups.unknown_task import sentence
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.conditions import find
from taskgroup.core.trouble import Trouble

CUT_SHORT = (Reason.DEADLINE_EXCEEDED, Reason.DEADLINE_REACHED, Reason.CANCELLED)
"""Reasons of an end that came before that of the work."""
NO_STAGES: Mapping[Stage, StageStatus] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, with the sentence for its conditions."""

    success: bool
    reason: str
    message: str


def judge(
    ledger: Ledger, spec: TaskGroupSpec, now: float, stages: Mapping[Stage, StageStatus] = NO_STAGES
) -> Verdict | None:
    """The outcome, or None while the group goes on; `stages` is what became of what runs once for it."""
    before, callback = stages.get(Stage.BEFORE), stages.get(Stage.CALLBACK)
    if before is not None and before.state is not StageState.SUCCEEDED:
        return _without_items(before, ledger, spec, now)
    failed = _failed(ledger, spec)
    if failed is not None or not is_met(ledger, spec):
        return failed or cut_short(ledger, spec, now)
    verdict = _succeeded(ledger, spec)
    if callback is None or callback.state is StageState.SUCCEEDED:
        return verdict
    if callback.state is StageState.FAILED:
        text = f"{verdict.message[:-1]}, but the callback failed: {callback.reason}: {callback.message}"
        return Verdict(False, Reason.CALLBACK_FAILED, text)
    return cut_short(ledger, spec, now)


def _without_items(before: StageStatus, ledger: Ledger, spec: TaskGroupSpec, now: float) -> Verdict | None:
    if before.state is StageState.FAILED:
        return Verdict(False, Reason.BEFORE_FAILED, f"spec.before failed: {before.reason}: {before.message}")
    verdict = cut_short(ledger, spec, now, "spec.before")
    if verdict is not None and verdict.success:
        # Without it there is nothing that could be taken as it is.
        return replace(verdict, success=False, reason=Reason.DEADLINE_EXCEEDED)
    return verdict


def cut_short(ledger: Ledger, spec: TaskGroupSpec, now: float, last: str = "the callback") -> Verdict | None:
    """The outcome of a group that ends before its work does: it was cancelled, or its deadline has passed.

    `last` is what is left where no item is.
    """
    left = _left(ledger, last)
    if spec.cancel:
        return Verdict(False, Reason.CANCELLED, f"spec.cancel is true: {left} had not ended.")
    limit = spec.active_deadline_seconds
    if limit is None or ledger.running_seconds(now) < limit:
        return None
    text = f"{left} had not ended after activeDeadlineSeconds ({limit} s)."
    why = f" {sentence(ledger)}." if ledger.unknown_tasks else ""
    if spec.on_deadline is OnDeadline.PARTIAL:
        return Verdict(True, Reason.DEADLINE_REACHED, f"{_upper(text)} onDeadline is Partial.{why}")
    return Verdict(False, Reason.DEADLINE_EXCEEDED, _upper(text) + why)


def source_changed(trouble: Trouble | None) -> Verdict | None:
    """The outcome of a group whose items are others now, which nobody can put back."""
    if trouble is None or trouble.reason != Reason.SOURCE_CHANGED:
        return None
    return Verdict(False, trouble.reason, trouble.message)


def _left(ledger: Ledger, last: str) -> str:
    """What has not ended; nobody can count the items of a group that never could be read."""
    if ledger.unfinished:
        return f"{ledger.unfinished} of {ledger.total} items"
    return last if ledger.total or last == "spec.before" else "the group"


def _upper(text: str) -> str:
    return text if text.startswith("spec.") else text[0].upper() + text[1:]


def _succeeded(ledger: Ledger, spec: TaskGroupSpec) -> Verdict:
    if len(ledger.succeeded) == ledger.total:
        return Verdict(True, Reason.COMPLETIONS_REACHED, f"All {ledger.total} items succeeded.")
    text = f"{len(ledger.succeeded)} of {ledger.total} items succeeded, {_asked(ledger, spec)}."
    return Verdict(True, Reason.SUCCESS_POLICY, text)


def _failed(ledger: Ledger, spec: TaskGroupSpec) -> Verdict | None:
    """Too many failures; without a policy that is known when all items have ended."""
    if ledger.retries.fatal is not None and ledger.retries.fatal in ledger.failed:
        return Verdict(False, Reason.RETRY_POLICY, _fatal(ledger, ledger.retries.fatal))
    if exceeds(ledger, spec):
        text = f"{_failures(ledger)}; maxFailedItems is {spec.max_failed_items}."
        return Verdict(False, Reason.MAX_FAILED_ITEMS_EXCEEDED, text)
    if is_out_of_reach(ledger, spec):
        return Verdict(False, Reason.FAILED_INDEXES, f"{_failures(ledger)}; {_asked(ledger, spec)}.")
    if ledger.unfinished or is_met(ledger, spec):
        return None
    return Verdict(False, Reason.FAILED_INDEXES, f"{_failures(ledger)}.")


def _fatal(ledger: Ledger, index: int) -> str:
    group = ledger.failure_of(index)
    why = f": {group.failure.reason}: {group.failure.message}" if group else ""
    return f"A rule of retryPolicy fails the group with item {index}{why}"


def _asked(ledger: Ledger, spec: TaskGroupSpec) -> str:
    return f"successPolicy asks for {needed(ledger.total, spec)}"


def _failures(ledger: Ledger) -> str:
    kinds = Counter[str]()
    for group in ledger.failures:
        kinds[group.failure.reason] += len(group.indexes)
    names = ", ".join(f"{reason} ({count})" for reason, count in kinds.most_common(3))
    why = f": {names}" if names else ""
    cancelled = f", {len(ledger.cancelled)} were cancelled" if ledger.cancelled else ""
    return f"{len(ledger.failed)} of {ledger.total} items failed{why}{cancelled}"


def is_cut_off(status: TaskGroupStatus, verdict: Verdict | None) -> bool:
    """Whether the end came before everything had ended: the rest is stopped."""
    hooks = (status.on_item_success, status.on_item_failure)
    is_left = bool(status.cancelled) or any(hook.cancelled for hook in hooks if hook is not None)
    return is_left or (verdict is not None and verdict.reason in CUT_SHORT)


def decided(status: TaskGroupStatus) -> Verdict | None:
    """The verdict that was written before."""
    for kind, success in ((ConditionType.SUCCESS_CRITERIA_MET, True), (ConditionType.FAILURE_TARGET, False)):
        condition = find(status, kind)
        if condition and condition.status == "True":
            return Verdict(success, condition.reason, condition.message)
    return None


def deadline_in(ledger: Ledger, spec: TaskGroupSpec, now: float) -> float | None:
    """Seconds until the deadline; None when there is none or the clock stands."""
    if spec.active_deadline_seconds is None or ledger.running_since is None:
        return None
    return max(0.0, spec.active_deadline_seconds - ledger.running_seconds(now))
