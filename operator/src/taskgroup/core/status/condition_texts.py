"""What each condition says, in words for the group's owner."""

from dataclasses import dataclass

from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.groups.observed import Observed, Trouble
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools import early_acks as asking
from taskgroup.core.status.conditions import Desired, fails, find, holds, is_true
from taskgroup.core.status.phase import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusInput:
    """What a status is made of, besides the observation."""

    phase: Phase
    ledger: Ledger
    active: int
    """Items on the queue or with a worker."""
    wanted: int
    """Worker pods that the group should have now."""
    verdict: Verdict | None = None
    configuration: Trouble | None = None
    start_time: str | None = None
    completion_time: str | None = None


def condition_texts(seen: Observed, facts: StatusInput) -> dict[ConditionType, Desired]:
    """A claim for every condition type."""
    kind = ConditionType
    made = {
        **_outcome(facts),
        kind.SUSPENDED: _suspended(seen, facts),
        kind.WORKERS_READY: _workers(seen, facts),
        kind.BACKEND_REACHABLE: _backend(seen, facts),
        kind.CONFIGURATION_VALID: _configuration(facts),
    }
    return made | _kstatus(seen, facts, made)


def _outcome(facts: StatusInput) -> dict[ConditionType, Desired]:
    kind, verdict = ConditionType, facts.verdict
    waiting = fails(Reason.NOT_FINISHED, "The group goes on.")
    made = dict.fromkeys((kind.COMPLETE, kind.FAILED, kind.FAILURE_TARGET, kind.SUCCESS_CRITERIA_MET), waiting)
    made[kind.FINISHED] = waiting
    if verdict is None or facts.phase in (Phase.NEW, Phase.RUNNING):
        return made
    said, denied = holds(verdict.reason, verdict.message), fails(verdict.reason, verdict.message)
    made[kind.SUCCESS_CRITERIA_MET] = said if verdict.success else denied
    made[kind.FAILURE_TARGET] = denied if verdict.success else said
    if facts.phase is Phase.FINISHED:
        made[kind.COMPLETE] = said if verdict.success else denied
        made[kind.FAILED] = denied if verdict.success else said
        made[kind.FINISHED] = said
    return made


def _suspended(seen: Observed, facts: StatusInput) -> Desired:
    if facts.phase is Phase.FINISHED:
        return fails(Reason.NOT_SUSPENDED)
    before = find(seen.status, ConditionType.SUSPENDED)
    if seen.spec is None and before is not None:
        return Desired(before.status, before.reason, before.message)
    if seen.spec is not None and seen.spec.suspend:
        return holds(Reason.JOB_SUSPENDED, "spec.suspend is true: set it to false to go on.")
    resumed = before is not None and before.reason != Reason.NOT_SUSPENDED
    return fails(Reason.JOB_RESUMED if resumed else Reason.NOT_SUSPENDED)


def _workers(seen: Observed, facts: StatusInput) -> Desired:
    deployment, trouble = seen.workers.deployment, seen.workers.trouble
    if not facts.wanted:
        return holds(Reason.NO_WORKERS_NEEDED, "No worker is needed now.")
    if trouble is not None:
        return fails(trouble.reason, trouble.message)
    ready = deployment.ready if deployment else 0
    if not ready:
        return fails(Reason.WORKERS_STARTING, f"0 of {facts.wanted} worker pods run.")
    return holds(Reason.WORKERS_READY, " ".join(["Workers run.", *asking.warnings(seen)]))


def _backend(seen: Observed, facts: StatusInput) -> Desired:
    if seen.backend_trouble is not None:
        return fails(seen.backend_trouble.reason, seen.backend_trouble.message)
    if seen.broker is None:
        why = "Not looked at: the configuration comes first." if facts.configuration else "Not looked at yet."
        return Desired("Unknown", Reason.UNKNOWN, why)
    return holds(Reason.REACHABLE, "Broker and result backend answer.")


def _configuration(facts: StatusInput) -> Desired:
    if facts.configuration is not None:
        return fails(facts.configuration.reason, facts.configuration.message)
    return holds(Reason.VALID)


def _kstatus(seen: Observed, facts: StatusInput, made: dict[ConditionType, Desired]) -> dict[ConditionType, Desired]:
    """Ready, Reconciling and Stalled, by which Helm and Flux tell running, done and stuck apart."""
    if facts.phase is Phase.FINISHED and facts.verdict is not None:
        verdict = facts.verdict
        if verdict.success:
            return _summary(holds(verdict.reason, verdict.message), reconciling=False, stalled=False)
        return _summary(fails(verdict.reason, verdict.message), reconciling=False, stalled=True)
    wrong = facts.configuration
    if wrong is not None:
        return _summary(fails(wrong.reason, wrong.message), reconciling=False, stalled=True)
    if made[ConditionType.SUSPENDED].status == "True":
        return _summary(made[ConditionType.SUSPENDED], reconciling=False, stalled=False)
    return _summary(_progress(seen, facts), reconciling=True, stalled=False)


def _progress(seen: Observed, facts: StatusInput) -> Desired:
    hindrance = seen.backend_trouble or (seen.workers.trouble if facts.wanted else None)
    if hindrance is not None:
        return fails(hindrance.reason, hindrance.message)
    if facts.phase is Phase.NEW:
        return fails(Reason.PENDING, "The group has not started yet.")
    return fails(Reason.RUNNING, "Items are being run.")


def _summary(ready: Desired, *, reconciling: bool, stalled: bool) -> dict[ConditionType, Desired]:
    def same(flag: bool) -> Desired:
        return Desired("True" if flag else "False", ready.reason, ready.message if flag else "")

    return {
        ConditionType.READY: ready,
        ConditionType.RECONCILING: same(reconciling),
        ConditionType.STALLED: same(stalled),
    }


def was_blocked(seen: Observed) -> bool:
    """Dispatch stands because no worker knew a task when it was last tried."""
    condition = find(seen.status, ConditionType.CONFIGURATION_VALID)
    return condition is not None and condition.status == "False" and condition.reason == Reason.UNKNOWN_TASK


def is_suspended(seen: Observed) -> bool:
    """Whether the written status says so."""
    return is_true(seen.status, ConditionType.SUSPENDED)
