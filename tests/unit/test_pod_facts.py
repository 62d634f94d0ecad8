"""Facts of Deployments and pods: what runs, what has ended, and when the running container started."""

from typing import Any

import pytest

from support.pod_states import DISRUPTED, ENDED, NOW, OVER_LIMIT, READY, deployment, ended, pod, running, waiting
from taskgroup.cluster.workers.pods import pod_facts, worker_facts
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts


def test_a_running_worker_has_no_trouble() -> None:
    facts = pod_facts(pod(running(), **READY), NOW)

    assert facts == PodFacts(name="w-1", ready=True, started_at=1_799_996_400.0)


def test_a_pod_that_is_being_stopped_is_not_ready_and_has_not_ended() -> None:
    facts = pod_facts(pod(running(), deleted=True, **READY), NOW)

    assert (facts.ready, facts.terminating, facts.ended) == (False, True, False)


@pytest.mark.parametrize(
    "ended_pod",
    [
        pod(ended(0, reason="Completed"), deleted=True),
        pod(waiting("CrashLoopBackOff"), ended(), deleted=True),
        pod(deleted=True, node=None, phase="Pending"),
        pod(phase="Failed", reason="Evicted"),
        pod(ended(137), phase="Failed"),
    ],
)
def test_nothing_will_run_there_any_more(ended_pod: dict[str, Any]) -> None:
    assert pod_facts(ended_pod, NOW).ended


@pytest.mark.parametrize(
    "living_pod",
    [
        pod(waiting("ContainerCreating"), deleted=True),
        pod(waiting("CrashLoopBackOff"), ended()),
        pod(ended()),
        pod(phase="Pending", node=None),
    ],
)
def test_something_may_run_there_still(living_pod: dict[str, Any]) -> None:
    assert not pod_facts(living_pod, NOW).ended


def test_the_start_of_a_container_lies_after_the_end_of_the_one_before() -> None:
    between = pod_facts(pod(waiting("CrashLoopBackOff"), ended(), restarts=1), NOW)
    after = pod_facts(pod(running("2027-01-15T08:00:05Z"), ended(), restarts=2), NOW)

    assert (between.restarts, between.started_at) == (2, ENDED + 1)
    assert (after.restarts, after.started_at) == (2, ENDED + 1)


def test_the_first_end_counts_before_the_first_restart() -> None:
    facts = pod_facts(pod(ended(137, reason="OOMKilled")), NOW)

    assert (facts.restarts, facts.started_at) == (1, ENDED + 1)


def test_an_end_without_a_time_leaves_the_start() -> None:
    lost = ended(137, reason="ContainerStatusUnknown", at=None)

    assert pod_facts(pod(running(), lost, restarts=1), NOW).started_at == 1_799_996_400.0


def test_the_deployment_says_how_many_pods_it_wants_and_has() -> None:
    facts = worker_facts(deployment(readyReplicas=1), [], NOW, settled=False).deployment

    assert facts == DeploymentFacts(replicas=2, ready=1, settled=False)


def test_without_a_deployment_there_are_no_facts_of_it() -> None:
    assert worker_facts(None, [], NOW) == WorkerFacts()


@pytest.mark.parametrize("cause", DISRUPTED)
def test_a_pod_that_the_cluster_took_away_is_told_apart_from_one_that_died(cause: str) -> None:
    facts = pod_facts(DISRUPTED[cause], NOW)

    assert (facts.ended, facts.disrupted) == (True, True)


@pytest.mark.parametrize("died", [OVER_LIMIT, pod(ended(137, reason="OOMKilled")), pod(ended(), deleted=True)])
def test_a_pod_that_died_by_itself_or_was_stopped_is_not_disrupted(died: dict[str, Any]) -> None:
    assert not pod_facts(died, NOW).disrupted


CRASH = """  File "/venv/lib/python3.11/site-packages/kombu/transport/redis.py", line 1959, in _connparams
    'host': conninfo.hostname or '127.0.0.1',
AttributeError: 'NoneType' object has no attribute 'hostname'
"""


@pytest.mark.parametrize(
    ("end", "is_lost"),
    [
        (ended(1, message=CRASH), True),
        (ended(1, message="redis.exceptions.ConnectionError: Error 111 connecting to redis:6379."), True),
        (ended(137, message=CRASH), False),
        (ended(1, reason="OOMKilled", message=CRASH), False),
        (ended(1, message="ValueError: bad"), False),
        (ended(0, message=CRASH), False),
    ],
    ids=["kombu's crash", "redis-py's words", "killed", "out of memory", "another crash", "in order"],
)
def test_a_worker_says_last_that_it_lost_the_broker(end: dict[str, Any], is_lost: bool) -> None:
    assert pod_facts(pod(end), NOW).lost_broker is is_lost
