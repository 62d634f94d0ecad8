"""The loop of a pool in the world in memory: what it says and costs while something stands in its way."""

import logging

import pytest

from support.builders import said, spec
from support.stories import suspend
from support.world import World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.cluster.errors import ApiError, RefusedError
from taskgroup.core.exchange import View
from taskgroup.core.pools.plan import ApplyWorkers
from taskgroup.core.pools.reconcile import WORKING_SECONDS
from taskgroup.loops.meeting import Meeting

REFUSED = RefusedError("The Kubernetes API refuses the Deployment.", status=422)
FAILED = ApiError("The Kubernetes API could not patch the Deployment: a webhook is away (HTTP 500).", status=500)


def started() -> World:
    world = World(spec(4, workers={"concurrency": 1, "maxReplicas": 2}))
    for _ in range(3):
        world.now += 1.5
        world.look()
    return world


def test_a_refused_deployment_is_tried_again_later_and_is_no_action_that_was_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "taskgroup.actions")
    world = World(spec())
    world.workers.refusal = REFUSED
    for _ in range(4):
        world.now += 1.5
        world.look()

    assert world.pool_plan is not None
    assert [type(action) for action in world.pool_plan.actions] == [ApplyWorkers]
    assert world.pool_plan.wake_after == WORKING_SECONDS
    assert "ApplyWorkers" not in caplog.text
    assert said(world.status, ConditionType.WORKERS_READY) == ("False", Reason.WORKER_CANNOT_START)

    world.workers.refusal = None
    world.look()
    assert "action=ApplyWorkers replicas=3" in caplog.text


def test_a_refusal_is_forgotten_when_the_spec_goes_back_to_what_runs() -> None:
    """WorkersReady told for ever of a Deployment that nobody wanted any more."""
    world = started()
    before = world.spec
    world.workers.settle(world.tick())
    world.workers.refusal = REFUSED
    world.change(spec(4, workers={"concurrency": 1, "maxReplicas": 2, "image": "shop:2"}))
    for _ in range(4):
        world.now += 1.5
        world.look()
    assert said(world.status, ConditionType.WORKERS_READY) == ("False", Reason.WORKER_CANNOT_START)

    world.change(before)
    for _ in range(4):
        world.now += 1.5
        world.look()
    assert said(world.status, ConditionType.WORKERS_READY) == ("True", Reason.WORKERS_READY)


def test_a_pool_that_was_told_nothing_since_a_restart_looks_seldom() -> None:
    """The Secret of a group that runs is gone when another operator starts."""
    world = started()
    world.has_secret = False
    world.kill()
    world.look()

    assert world.operator.meeting.assignment is not None
    assert world.operator.meeting.assignment.demand is None
    assert world.workers.replicas == 2
    assert world.pool_plan is not None
    assert (world.pool_plan.actions, world.pool_plan.wake_after) == ((), 30.0)


def test_workers_that_cannot_be_described_are_looked_at_seldom() -> None:
    world = started()
    world.has_secret = False
    world.change(world.spec)
    world.look()

    assert world.pool_plan is not None
    assert world.pool_plan.wake_after == WORKING_SECONDS


def test_what_hinders_an_action_again_and_again_is_said_without_a_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries the pool looks, and finds nothing wrong with its pods."""
    views, show = list[View](), Meeting.show

    def shown(meeting: Meeting, view: View) -> None:
        views.append(view)
        show(meeting, view)

    monkeypatch.setattr(Meeting, "show", shown)
    world = World(spec())
    world.workers.refusal = FAILED
    for _ in range(5):
        world.now += 1.5
        world.look()

    assert said(world.status, ConditionType.WORKERS_READY) == ("False", Reason.OPERATOR_HINDERED)
    troubles = [view.trouble is not None for view in views]
    assert troubles.count(True) >= 3
    assert troubles == sorted(troubles), "never taken back"
    assert world.operator.meeting.view is not None
    assert world.operator.meeting.view.current, "the pods were read"

    world.workers.refusal = None
    for _ in range(3):
        world.now += 1.5
        world.look()
    assert said(world.status, ConditionType.WORKERS_READY) == ("False", Reason.WORKERS_STARTING)


@pytest.mark.parametrize("refusal", [None, REFUSED])
def test_another_operator_says_nothing_new_before_its_pool_has_looked(refusal: ApiError | None) -> None:
    world = World(spec())
    world.workers.refusal = refusal
    for _ in range(4):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
    before, told = world.status, list(world.store.events)

    world.kill()
    for _ in range(3):
        world.now += 1.5
        world.look(pool=False)

    assert world.operator.meeting.view is None
    assert world.status.conditions == before.conditions
    assert world.store.events == told


@pytest.mark.parametrize("has_secret", [True, False])
def test_a_suspended_group_keeps_no_idle_workers(has_secret: bool) -> None:
    world = started()
    world.has_secret = has_secret
    suspend(world, 0)
    for _ in range(3):
        world.now += 1.5
        world.look()

    assert world.workers.replicas == 0


def test_another_image_is_rolled_out_at_once() -> None:
    world = started()
    workers = world.spec.workers.model_copy(update={"image": "shop:2"})
    world.change(world.spec.model_copy(update={"workers": workers}))
    world.look()

    assert world.workers.applied is not None
    assert world.workers.applied.workers.image == "shop:2"
