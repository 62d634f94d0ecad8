"""What ended containers held goes back on the queue."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import spec
from support.pod_states import DISRUPTED, NOW, OVER_LIMIT
from support.pool_builders import demand, ended, pods, pool, pool_look, pool_queue, workers
from taskgroup.cluster.workers.pods import pod_facts
from taskgroup.core.action import Action
from taskgroup.core.exchange import ANEW, MAX_LOSSES, SUSPECT_LOSSES
from taskgroup.core.pools.giving_back import requeues
from taskgroup.core.pools.observed import Outage, PodFacts, PoolObserved, PoolQueue
from taskgroup.core.pools.plan import Requeue

STARTED = 1_800_000_000.0


def seen(facts: PodFacts, *, held: int = 2, **fields: Any) -> PoolObserved:
    return pool(workers=workers(1, members=(facts,)), queue=PoolQueue(held={facts.name: held}), **fields)


def pod(**fields: Any) -> PodFacts:
    return pods("p", **fields)[0]


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (pod(), None),
        (pod(terminating=True), None),
        (pod(ended=True), Requeue("p", 0, None, count_loss=True)),
        (pod(ended=True, terminating=True), Requeue("p", 0, None, count_loss=False)),
        (pod(ended=True, disrupted=True), Requeue("p", 0, None, count_loss=False)),
        (pod(restarts=1, started_at=STARTED, disrupted=True), Requeue("p", 1, STARTED, count_loss=False)),
        (pod(restarts=1, started_at=STARTED), Requeue("p", 1, STARTED, count_loss=True)),
        (pod(restarts=1, started_at=None), None),
        (pod(restarts=2, ended=True), Requeue("p", 2, None, count_loss=True)),
    ],
    ids=[
        "runs",
        "stops",
        "died",
        "was stopped",
        "was evicted",
        "is being evicted",
        "restarted",
        "is restarting",
        "restarted and died",
    ],
)
def test_messages_of_ended_containers_go_back(facts: PodFacts, action: Action | None) -> None:
    expected = (action,) if action else ()

    assert requeues(seen(facts)) == expected
    assert pool_look(seen(facts)).actions[: len(expected)] == expected, "before anything is scaled"


@pytest.mark.parametrize("cause", DISRUPTED)
def test_what_the_cluster_takes_away_is_no_loss_of_its_items(cause: str) -> None:
    evicted = pod_facts(DISRUPTED[cause], NOW)

    assert requeues(seen(evicted)) == (Requeue(evicted.name, evicted.restarts, None, count_loss=False),)


def test_a_pod_that_took_more_storage_than_it_may_is_a_loss_or_its_item_would_run_for_ever() -> None:
    evicted = pod_facts(OVER_LIMIT, NOW)

    assert requeues(seen(evicted)) == (Requeue(evicted.name, evicted.restarts, None, count_loss=True),)


def test_the_broker_is_told_how_many_losses_an_item_survives() -> None:
    (action,) = requeues(seen(pod(ended=True)))

    assert isinstance(action, Requeue)
    assert action.loss_limit == MAX_LOSSES


@pytest.mark.parametrize(("concurrency", "losses"), [(1, 0), (2, SUSPECT_LOSSES), (8, SUSPECT_LOSSES)])
def test_suspects_are_set_aside_where_several_items_share_a_worker(concurrency: int, losses: int) -> None:
    shared = spec(workers={"concurrency": concurrency}).workers
    seen = pool(workers_spec=shared, workers=workers(1, members=pods("a", ended=True)), queue=pool_queue(a=1))

    assert [action.suspect_losses for action in requeues(seen) if isinstance(action, Requeue)] == [losses]


def test_a_pod_that_holds_nothing_has_nothing_to_give_back() -> None:
    assert requeues(seen(pod(ended=True), held=0)) == ()


def test_without_a_broker_nothing_can_be_given_back() -> None:
    assert requeues(replace(seen(pod(ended=True)), queue=None)) == ()


def test_a_restart_is_answered_once() -> None:
    restarted = pod(restarts=1, started_at=STARTED)

    assert requeues(seen(restarted, requeued=frozenset({restarted.container}))) == ()
    again = replace(restarted, restarts=2)
    assert requeues(seen(again, requeued=frozenset({restarted.container}))) != ()


def test_a_pod_that_restarted_and_then_ended_gives_back_what_its_last_container_held() -> None:
    restarted = pod(restarts=1, started_at=STARTED)
    dead = replace(restarted, ended=True)

    assert requeues(seen(dead, requeued=frozenset({restarted.container}))) == (Requeue("p", 1, None, count_loss=True),)


def test_what_a_vanished_worker_held_does_not_keep_another_one_for_ever() -> None:
    vanished = pod(ended=True, terminating=True, ready=False)
    plan = pool_look(seen(vanished, held=1, demand=ended()))

    assert plan.actions == (Requeue("p", 0, None, count_loss=False),)


@pytest.mark.parametrize(
    "facts",
    [pod(ended=True), pod(ended=True, terminating=True), pod(restarts=1, started_at=STARTED)],
    ids=["died", "was stopped", "restarted"],
)
def test_what_was_cancelled_is_not_given_back(facts: PodFacts) -> None:
    assert requeues(seen(facts, demand=ended())) != ()
    assert requeues(seen(facts, demand=ended(give_back=False))) == ()


OUTAGE = Outage(STARTED - 100, STARTED - 90)


@pytest.mark.parametrize(
    ("facts", "is_loss"),
    [
        (pod(restarts=1, started_at=STARTED - 99), False),
        (pod(restarts=1, started_at=STARTED - 31), False),
        (pod(ended=True, started_at=STARTED - 91), False),
        (pod(restarts=1, started_at=STARTED - 29), True),
        (pod(restarts=1, started_at=STARTED - 106), True),
        (pod(restarts=1, started_at=STARTED, lost_broker=True), False),
        (pod(ended=True, started_at=STARTED, lost_broker=True), False),
    ],
    ids=["during it", "after it", "its pod, too", "much later", "before", "by its last words", "its pod by these"],
)
def test_a_worker_that_ended_of_an_outage_is_no_loss_of_its_items(facts: PodFacts, is_loss: bool) -> None:
    """Celery 5.7 often ends when its broker goes away; four outages made healthy items Lost."""
    (action,) = requeues(seen(facts, outages=(OUTAGE,)))

    assert isinstance(action, Requeue)
    assert action.count_loss is is_loss


def test_what_could_not_be_moved_is_not_moved_every_second() -> None:
    dead = seen(pod(ended=True), held=2, unmoved={"p": 2})

    assert requeues(dead) == ()
    assert requeues(replace(dead, queue=PoolQueue(held={"p": 3})))
    assert requeues(replace(dead, unmoved={"p": 0}))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_group_that_wants_to_send_it_again_gets_it_all(concurrency: int) -> None:
    paced = demand(anew=True)
    found = seen(pod(ended=True), demand=paced, workers_spec=spec(workers={"concurrency": concurrency}).workers)

    assert [action.suspect_losses for action in requeues(found) if isinstance(action, Requeue)] == [ANEW]
