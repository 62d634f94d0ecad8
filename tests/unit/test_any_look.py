"""What holds for every look, whatever is seen: the decisions are total, say why, and come to rest."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given

from support.builders import (
    NOW,
    chain_spec,
    completions,
    finished,
    indexes,
    ledger,
    not_registered,
    observed,
    only,
    queue,
    running,
    spec,
)
from support.pool_builders import claim_look, pods, pool, pool_after, pool_look, pool_queue, workers
from support.situations import TOTAL, groups, kinds, pools, suspicions
from taskgroup.core.action import Action
from taskgroup.core.groups import plan as group_plan
from taskgroup.core.groups.observed import Carried, Observed
from taskgroup.core.groups.plan import (
    Again,
    DeleteObject,
    Dispatch,
    MarkMissing,
    Open,
    Plan,
    ReadItems,
    Redispatch,
    Release,
    Renew,
    Retry,
    Search,
    Skip,
    Stop,
    StopReading,
    Withdraw,
)
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.pools import plan as pool_plan
from taskgroup.core.pools.claim_history import ClaimHistory
from taskgroup.core.pools.claims import CLAIM_SECONDS, SILENT_SECONDS
from taskgroup.core.pools.observed import Outage, PoolObserved
from taskgroup.core.pools.plan import (
    ApplyWorkers,
    AskClaims,
    Discard,
    MarkPods,
    PoolPlan,
    PutBack,
    Requeue,
    StopPod,
)
from taskgroup.core.pools.reconcile import reconcile_pool
from taskgroup.core.reading import Reading
from taskgroup.core.retries import Retries
from taskgroup.core.status.phase import phase_of

LATER = NOW + 50


@given(groups())
def test_any_look_at_a_group_leads_to_a_plan(seen: Observed) -> None:
    plan = reconcile(seen, LATER)

    assert plan == reconcile(seen, LATER), "the same look, the same plan"
    assert plan.wake_after >= 0
    assert phase_of(plan.status).value >= phase_of(seen.status).value
    assert all(action.reason for action in plan.actions), "the log says why"
    assert plan.demand is None or plan.demand.reason
    assert plan.ledger.succeeded >= seen.ledger.succeeded, "SUCCESS is final"
    status = plan.status
    parts = (status.pending, status.active, status.retrying, status.succeeded, status.failed, status.cancelled)
    assert sum(part or 0 for part in parts) == (status.total or 0)
    _check_what_no_group_may_do(seen, plan)


def _check_what_no_group_may_do(seen: Observed, plan: Plan) -> None:
    dispatched = [*only(plan, Dispatch), *only(plan, Redispatch)]
    if seen.view is None or not seen.view.slots:
        assert dispatched == []
    if seen.spec and seen.spec.suspend:
        assert dispatched == []
    if seen.view is None or not seen.view.current:
        assert only(plan, Search) == []
    if seen.state is None:
        assert all(isinstance(action, Open | DeleteObject) for action in plan.actions), "a change needs a fence"


@given(pools())
def test_any_look_at_a_pool_leads_to_a_plan_and_then_to_rest(seen: PoolObserved) -> None:
    plan = reconcile_pool(seen, NOW)

    assert plan == reconcile_pool(seen, NOW), "the same look, the same plan"
    assert 0 < plan.wake_after <= seen.resync_seconds
    assert all(action.reason for action in plan.actions), "the log says why"
    assert plan.view.slots >= plan.view.wanted >= 0
    assert pool_look(pool_after(seen, plan)).actions == (), "done once, there is nothing more to do"
    _check_what_no_pool_may_do(seen, plan)


def _check_what_no_pool_may_do(seen: PoolObserved, plan: PoolPlan) -> None:
    applied = [action.replicas for action in only(plan, ApplyWorkers)]
    if seen.workers_spec is None:
        assert only(plan, MarkPods) == []
        assert applied in ([], [0] if seen.demand.ended or not seen.demand.items else [])
    if seen.queue is None:
        assert plan.actions in ((), (ApplyWorkers(0),) if seen.demand.ended else ())
    if not seen.demand.give_back:
        assert only(plan, Requeue) == []
    assert all(replicas >= _busy_that_stay(seen, plan) for replicas in applied)


def _busy_that_stay(seen: PoolObserved, plan: PoolPlan) -> int:
    """Pods at work, as far as they are in the Deployment and not on their way out."""
    held = seen.queue.held if seen.queue else {}
    busy = sum(1 for pod in seen.workers.pods if held.get(pod.name) and not pod.ended and not pod.terminating)
    assert busy <= plan.view.busy
    return min(busy, seen.workers.deployment.replicas if seen.workers.deployment else 0)


HALF = ledger(TOTAL, dispatched=6)
GROUPS: dict[type[Action], Observed] = {
    ReadItems: observed(work=None, reading=Reading()),
    StopReading: observed(reading=Reading(pods=1, is_read=True)),
    Open: running(queue=queue(nonce=None)),
    Dispatch: running(),
    Skip: running(
        spec(tasks=[{"task": "a"}, {"task": "b"}]), ledger(2, unknown_tasks=("a",)), carried=Carried(canary_at=LATER)
    ),
    Release: running(chain_spec(2, TOTAL), replace(HALF, steps=2), completions=completions({1})),
    Redispatch: running(spec(TOTAL), HALF.withdrawn(indexes(1))),
    Withdraw: running(spec(TOTAL, suspend=True), HALF, queue=queue(4)),
    Again: running(
        spec(TOTAL, retry={"id": "a"}),
        replace(HALF, failed=indexes(0)),
        status=running().status.model_copy(update={"last_retry_id": "a"}),
    ),
    Stop: running(spec(TOTAL, suspend=True, suspendMode="Stop"), HALF, queue=queue(4)),
    Renew: running(spec(TOTAL), HALF, completions=not_registered(1)),
    Retry: running(spec(TOTAL), replace(HALF, retries=Retries(due={1: int(NOW)}))),
    Search: running(spec(TOTAL), HALF),
    MarkMissing: running(spec(TOTAL), HALF, suspicions=suspicions(frozenset({1}))),
    DeleteObject: finished(running(spec(TOTAL, ttlSecondsAfterFinished=1), ledger(TOTAL, succeeded=full(TOTAL)))),
}


def claimed(**fields: Any) -> ClaimHistory:
    """The worker of pod a did not know in two looks what the pod held."""
    looks = tuple(claim_look(NOW - seconds, {"a": "x"}, {"a": ""}, **fields) for seconds in (CLAIM_SECONDS, 0))
    return ClaimHistory(looks=looks, asked_at=NOW)


def silent() -> ClaimHistory:
    """The worker of pod a said nothing in two looks."""
    looks = tuple(claim_look(NOW - seconds, {"a": "x"}, {}, taken_at=NOW - 1000) for seconds in (CLAIM_SECONDS, 0))
    return ClaimHistory(looks=looks, asked_at=NOW)


BUSY = workers(12, members=(*pods("a", started_at=NOW - 1000), *pods("b", ended=True)))
POOLS: dict[type[Action], PoolObserved] = {
    ApplyWorkers: pool(),
    MarkPods: pool(workers=BUSY, queue=pool_queue(a=1)),
    Requeue: pool(workers=BUSY, queue=pool_queue(b=1)),
    AskClaims: pool(workers=BUSY, queue=pool_queue(a=1, oldest=NOW - 100)),
    Discard: pool(workers=BUSY, queue=pool_queue(a=1), claims=claimed(ended={"x"})),
    PutBack: pool(workers=BUSY, queue=pool_queue(a=1), claims=claimed()),
    StopPod: pool(
        workers=BUSY, queue=pool_queue(a=1), claims=silent(), outages=(Outage(NOW - 99, NOW - SILENT_SECONDS),)
    ),
}


def test_there_is_a_look_for_each_action() -> None:
    assert set(kinds(group_plan)) == set(GROUPS)
    assert set(kinds(pool_plan)) == set(POOLS)


@pytest.mark.parametrize("kind", GROUPS, ids=lambda kind: kind.__name__)
def test_each_action_on_a_group_says_why(kind: type[Action]) -> None:
    actions = only(reconcile(GROUPS[kind], LATER), kind)

    assert actions
    assert all(action.reason.endswith((".", "?")) for action in actions)


@pytest.mark.parametrize("kind", POOLS, ids=lambda kind: kind.__name__)
def test_each_action_on_a_pool_says_why(kind: type[Action]) -> None:
    actions = only(reconcile_pool(POOLS[kind], NOW), kind)

    assert actions
    assert all(action.reason for action in actions)


@pytest.mark.parametrize("kind", [*kinds(group_plan), *kinds(pool_plan)], ids=lambda kind: kind.__name__)
def test_actions_are_equal_whatever_their_reasons_say(kind: type[Action]) -> None:
    values: dict[str, Any] = {field.name: 0 for field in fields(kind) if field.name != "reason"}

    one = kind(**values, reason="one")
    assert one == kind(**values, reason="another")
    assert one == kind(**values)
    assert one.reason == "one"
    assert replace(one, reason="another") == one
