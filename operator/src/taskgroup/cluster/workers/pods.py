"""Turns a pool's Deployment and pods, as the API returns them, into facts. Pure functions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from taskgroup.api.names import WORKER_CONTAINER, Reason
from taskgroup.cluster.workers.diagnosis import (
    Part,
    ended_trouble,
    refused_pods,
    unschedulable,
    waiting_trouble,
    worker_of,
)
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts
from taskgroup.core.trouble import Trouble

_RECENT_SECONDS = 10.0
"""A worker that runs again after a crash keeps its trouble for this time."""
_PARTIAL_REASONS = (Reason.UNSCHEDULABLE, Reason.FORBIDDEN)
"""Troubles that only reduce the number of workers; they are not reported while at least one works."""


def worker_facts(deployment: Part | None, pods: Sequence[Part], now: float, *, settled: bool = True) -> WorkerFacts:
    """Return all facts; `now` is in seconds since the epoch."""
    facts = tuple(pod_facts(pod, now) for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])))
    return WorkerFacts(
        deployment=deployment_facts(deployment, settled=settled) if deployment else None,
        pods=facts,
        trouble=_first_trouble(deployment, facts),
    )


def deployment_facts(deployment: Part, *, settled: bool) -> DeploymentFacts:
    """Return the numbers of wanted and of ready pods, and whether the Deployment is settled."""
    status = deployment.get("status") or {}
    return DeploymentFacts(
        replicas=int(deployment["spec"].get("replicas", 1)), ready=int(status.get("readyReplicas", 0)), settled=settled
    )


def pod_facts(pod: Part, now: float) -> PodFacts:
    """Return the facts of one pod.

    `restarts` counts the worker containers that ended in the pod. `started_at` is a time after everything that they
    took from the queue, and before everything that the running one took.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    terminating = bool(meta.get("deletionTimestamp"))
    container = _worker_status(status)
    return PodFacts(
        name=meta["name"],
        ready=_is_ready(status) and not terminating,
        terminating=terminating,
        ended=_has_ended(pod, container),
        restarts=container.get("restartCount", 0) + (1 if _newest_end(container) else 0),
        started_at=_started_at(container),
        trouble=None if terminating else _trouble(pod, container, now),
    )


def _worker_status(status: Part) -> Part:
    statuses = status.get("containerStatuses") or ()
    return next((part for part in statuses if part.get("name") == WORKER_CONTAINER), {})


def _is_ready(status: Part) -> bool:
    return any(part.get("type") == "Ready" and part.get("status") == "True" for part in status.get("conditions") or ())


def _has_ended(pod: Part, container: Part) -> bool:
    """Whether no container runs in the pod and none will be started.

    The kubelet restarts no container in a pod that has failed or is being deleted. A first container that waits
    according to the status may have started already, except in a pod without a node.
    """
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    deleted = bool(pod["metadata"].get("deletionTimestamp"))
    return deleted and (_newest_end(container) is not None or not pod["spec"].get("nodeName"))


def _newest_end(container: Part) -> Part | None:
    """The terminated state of the newest container; None while it runs, or before the first one has run."""
    state: Part = container.get("state") or {}
    if "running" in state:
        return None
    return state.get("terminated") or (container.get("lastState") or {}).get("terminated")


def _last_end(container: Part) -> Part | None:
    return _newest_end(container) or (container.get("lastState") or {}).get("terminated")


def _started_at(container: Part) -> float | None:
    """One second after the last end, because the API rounds times down to seconds; without an end, the start."""
    end = _time((_last_end(container) or {}).get("finishedAt"))
    if end is not None:
        return end + 1
    return _time(((container.get("state") or {}).get("running") or {}).get("startedAt"))


def _trouble(pod: Part, container: Part, now: float) -> Trouble | None:
    spec: Part = next((part for part in pod["spec"]["containers"] if part["name"] == WORKER_CONTAINER), {})
    worker, state = worker_of(pod, spec), container.get("state") or {}
    end = _last_end(container)
    if end is not None and not _has_recovered(state, now):
        return ended_trouble(worker, end)
    if "running" in state:
        return None
    return unschedulable(pod) or waiting_trouble(worker, state.get("waiting") or {}, _age(pod, now))


def _has_recovered(state: Part, now: float) -> bool:
    started = _time((state.get("running") or {}).get("startedAt"))
    return started is not None and now - started > _RECENT_SECONDS


def _age(pod: Part, now: float) -> float:
    """Seconds since the pod was assigned to a node."""
    return now - (_time((pod.get("status") or {}).get("startTime")) or now)


def _first_trouble(deployment: Part | None, pods: Sequence[PodFacts]) -> Trouble | None:
    troubles = [pod.trouble for pod in pods if pod.trouble]
    refusal = refused_pods(deployment) if deployment else None
    troubles += [refusal] if refusal else []
    any_works = any(pod.ready and pod.trouble is None for pod in pods)
    return next((trouble for trouble in troubles if not (any_works and trouble.reason in _PARTIAL_REASONS)), None)


def _time(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
