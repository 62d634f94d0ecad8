"""What each condition says, in words for the group's owner."""

from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.groups.observed import Observed
from taskgroup.core.status.conditions import Desired, fails, find, holds
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.state import has_run
from taskgroup.core.status.status_input import StatusInput

_RUNNING = "Items are being run."


def condition_texts(seen: Observed, shown: StatusInput) -> dict[ConditionType, Desired]:
    """What every condition type shall say."""
    kind = ConditionType
    desired = {
        **_outcome(seen, shown),
        kind.SUSPENDED: _suspended(seen, shown),
        kind.WORKERS_READY: _workers(seen, shown),
        kind.BACKEND_REACHABLE: _backend(seen, shown),
        kind.CONFIGURATION_VALID: _configuration(shown),
    }
    return desired | _kstatus(seen, shown, desired)


def _outcome(seen: Observed, shown: StatusInput) -> dict[ConditionType, Desired]:
    kind, verdict = ConditionType, shown.verdict
    outcome = (kind.COMPLETE, kind.FAILED, kind.FAILURE_TARGET, kind.SUCCESS_CRITERIA_MET, kind.FINISHED)
    desired = dict.fromkeys(outcome, _open(seen, shown))
    if verdict is None or shown.phase in (Phase.NEW, Phase.RUNNING):
        return desired
    true, false = holds(verdict.reason, verdict.message), fails(verdict.reason, verdict.message)
    desired[kind.SUCCESS_CRITERIA_MET] = true if verdict.success else false
    desired[kind.FAILURE_TARGET] = false if verdict.success else true
    if shown.phase is Phase.FINISHED:
        desired[kind.COMPLETE] = true if verdict.success else false
        desired[kind.FAILED] = false if verdict.success else true
        desired[kind.FINISHED] = true
    return desired


def _open(seen: Observed, shown: StatusInput) -> Desired:
    """What a group that had ended says until it ends anew."""
    before = find(seen.status, ConditionType.FINISHED)
    if before is not None and (before.reason == Reason.RETRYING or before.status == "True"):
        return fails(Reason.RETRYING, f"Items are run again: spec.retry {shown.retry_id or seen.status.last_retry_id}.")
    return fails(Reason.NOT_FINISHED, "The group goes on.")


def _suspended(seen: Observed, shown: StatusInput) -> Desired:
    if shown.phase is Phase.FINISHED:
        return fails(Reason.NOT_SUSPENDED)
    before = find(seen.status, ConditionType.SUSPENDED)
    if seen.spec is None and before is not None:
        return Desired(before.status, before.reason, before.message)
    if seen.spec is not None and seen.spec.suspend:
        return holds(Reason.JOB_SUSPENDED, "spec.suspend is true: set it to false to go on.")
    resumed = before is not None and before.reason != Reason.NOT_SUSPENDED
    return fails(Reason.JOB_RESUMED if resumed else Reason.NOT_SUSPENDED)


def _workers(seen: Observed, shown: StatusInput) -> Desired:
    """While the pool has said nothing since a restart, what was said before."""
    view, before = seen.view, find(seen.status, ConditionType.WORKERS_READY)
    if not shown.needs_workers:
        return holds(Reason.NO_WORKERS_NEEDED, "No worker is needed now.")
    if view is None and before is not None and before.reason != Reason.NO_WORKERS_NEEDED:
        return Desired(before.status, before.reason, before.message)
    if view is not None and view.trouble is not None:
        return fails(view.trouble.reason, view.trouble.message)
    if view is None or not view.wanted:
        return fails(Reason.WORKERS_STARTING, "Worker pods are being asked for.")
    if not view.ready:
        return fails(Reason.WORKERS_STARTING, f"0 of {view.wanted} worker pods run.")
    return holds(Reason.WORKERS_READY, "Workers run.")


def _backend(seen: Observed, shown: StatusInput) -> Desired:
    if seen.backend_trouble is not None:
        return fails(seen.backend_trouble.reason, seen.backend_trouble.message)
    if seen.queue is None:
        first = "Not looked at: the configuration comes first." if shown.configuration else "Not looked at yet."
        return Desired("Unknown", Reason.UNKNOWN, first)
    return holds(Reason.REACHABLE, "Broker and result backend answer.")


def _configuration(shown: StatusInput) -> Desired:
    if shown.configuration is not None:
        return fails(shown.configuration.reason, shown.configuration.message)
    return holds(Reason.VALID)


def _kstatus(seen: Observed, shown: StatusInput, desired: dict[ConditionType, Desired]) -> dict[ConditionType, Desired]:
    """Ready, Reconciling and Stalled, by which Helm and Flux tell running, done and stuck apart."""
    if shown.phase is Phase.FINISHED and shown.verdict is not None:
        verdict, ignored = shown.verdict, shown.configuration
        if ignored is not None:
            # The outcome stands in its own conditions; who waits for the newest spec waits in vain.
            return _summary(fails(ignored.reason, ignored.message), reconciling=False, stalled=True)
        if verdict.success:
            return _summary(holds(verdict.reason, verdict.message), reconciling=False, stalled=False)
        return _summary(fails(verdict.reason, verdict.message), reconciling=False, stalled=True)
    wrong = shown.configuration
    if wrong is not None:
        return _summary(fails(wrong.reason, wrong.message), reconciling=False, stalled=True)
    if desired[ConditionType.SUSPENDED].status == "True":
        return _summary(desired[ConditionType.SUSPENDED], reconciling=False, stalled=False)
    return _summary(_progress(seen, shown, desired[ConditionType.WORKERS_READY]), reconciling=True, stalled=False)


def _progress(seen: Observed, shown: StatusInput, workers: Desired) -> Desired:
    if shown.phase is Phase.DECIDED and shown.verdict is not None:
        return fails(Reason.RUNNING, f"The group is ending: {shown.verdict.message}")
    if seen.backend_trouble is not None:
        return fails(seen.backend_trouble.reason, seen.backend_trouble.message)
    if workers.status == "False" and workers.reason != Reason.WORKERS_STARTING:
        return workers
    if shown.phase is Phase.NEW:
        return fails(Reason.PENDING, "The group has not started yet.")
    if not has_run(seen, shown):
        return fails(Reason.PENDING, workers.message)
    if workers.reason == Reason.WORKERS_STARTING:
        return fails(Reason.RUNNING, workers.message)
    limit = seen.spec.rate_limit if seen.spec else None
    return fails(Reason.RUNNING, f"Items are being run, at most {limit}: spec.rateLimit." if limit else _RUNNING)


def _summary(ready: Desired, *, reconciling: bool, stalled: bool) -> dict[ConditionType, Desired]:
    def same(flag: bool) -> Desired:
        return Desired("True" if flag else "False", ready.reason, ready.message if flag else "")

    return {
        ConditionType.READY: ready,
        ConditionType.RECONCILING: same(reconciling),
        ConditionType.STALLED: same(stalled),
    }
