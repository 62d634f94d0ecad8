"""Turns a pool's Deployment and pods, as the API returns them, into facts. Pure functions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from taskgroup.api.names import WORKER_CONTAINER, Reason
from taskgroup.cluster.workers.diagnosis import (
    STARTING_SECONDS,
    Part,
    ended_trouble,
    evicted,
    lost_broker,
    refused_pods,
    unschedulable,
    waiting_trouble,
    worker_of,
)
from taskgroup.cluster.workers.side_diagnosis import Side, ended_side, running_side, sides_of, waiting_side
from taskgroup.core.pools.observed import DeploymentFacts, PodFacts, WorkerFacts
from taskgroup.core.trouble import Trouble

_RECENT_SECONDS = 10.0
"""A worker that runs again after a crash keeps its trouble for this time."""
_PARTIAL_REASONS = (Reason.UNSCHEDULABLE, Reason.FORBIDDEN, Reason.EVICTED)
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
        ready=_holds(status, "Ready") and not terminating,
        terminating=terminating,
        ended=_has_ended(pod, container),
        disrupted=is_disrupted(status),
        restarts=container.get("restartCount", 0) + (1 if _newest_end(container) else 0),
        started_at=_started_at(container),
        lost_broker=lost_broker(_last_end(container) or {}),
        trouble=None if terminating else _trouble(pod, container, now),
    )


def _worker_status(status: Part) -> Part:
    statuses = status.get("containerStatuses") or ()
    return next((part for part in statuses if part.get("name") == WORKER_CONTAINER), {})


def _has_ended(pod: Part, container: Part) -> bool:
    """Whether no container runs in the pod and none will be started.

    The kubelet restarts no container in a pod that has failed or is being deleted. A first container that waits
    according to the status may have started already, except in a pod without a node.
    """
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    deleted = bool(pod["metadata"].get("deletionTimestamp"))
    return deleted and (_newest_end(container) is not None or not pod["spec"].get("nodeName"))


def is_disrupted(status: Part) -> bool:
    """Whether the cluster decided that the pod has to go, and not what ran in it.

    Eviction by the API, drain, preemption, node pressure, node shutdown and the loss of a node set DisruptionTarget. A
    crash never makes a pod of a Deployment fail: its container is restarted. What is left are pods that the kubelet
    does not admit again after the node's restart, and those that took more storage than their own limits allow: these
    are Evicted without the condition, and only they are at fault.
    """
    if _holds(status, "DisruptionTarget"):
        return True
    return status.get("phase") == "Failed" and status.get("reason") != "Evicted"


def _holds(status: Part, kind: str) -> bool:
    return any(part.get("type") == kind and part.get("status") == "True" for part in status.get("conditions") or ())


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
    if (pod.get("status") or {}).get("phase") == "Failed":
        return evicted(worker, pod["status"])
    end = _last_end(container)
    if end is not None and not _has_recovered(state, now):
        return ended_trouble(worker, end)
    beside = unschedulable(pod) or _side_trouble(pod, now)
    if beside is not None or "running" in state or _is_initializing(pod):
        return beside
    return waiting_trouble(worker, state.get("waiting") or {}, _age(pod, now))


def _side_trouble(pod: Part, now: float) -> Trouble | None:
    """What is wrong with the first container beside the worker that is not well."""
    by_name = {part.get("name"): part for part in (pod.get("status") or {}).get("initContainerStatuses") or ()}
    troubles = (_trouble_of(side, by_name.get(side.name) or {}, now) for side in sides_of(pod))
    return next((trouble for trouble in troubles if trouble is not None), None)


def _is_initializing(pod: Part) -> bool:
    """Whether an init container runs now: the worker's own wait has not begun."""
    names = {side.name for side in sides_of(pod) if not side.is_sidecar}
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return any(part.get("name") in names and "running" in (part.get("state") or {}) for part in statuses)


def _trouble_of(side: Side, container: Part, now: float) -> Trouble | None:
    state, end = container.get("state") or {}, _last_end(container)
    if end is not None and not _has_recovered(state, now):
        return ended_side(side, end)
    started = _time((state.get("running") or {}).get("startedAt"))
    if started is not None and not side.is_sidecar and now - started > STARTING_SECONDS:
        return running_side(side)
    return waiting_side(side, state.get("waiting") or {})


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
    troubles = [trouble for trouble in troubles if not (any_works and trouble.reason in _PARTIAL_REASONS)]
    # An evicted pod stays in the API long after its successor has a trouble of its own.
    return min(troubles, key=lambda trouble: trouble.reason == Reason.EVICTED, default=None)


def _time(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
