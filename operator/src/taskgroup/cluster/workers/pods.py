"""What the API knows of a group's workers, as facts: pure functions over a Deployment and its pods."""

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
from taskgroup.core.groups.observed import DeploymentFacts, PodFacts, Trouble, WorkerFacts

_RECENT_SECONDS = 10.0
"""A worker that ended with an error and runs again is believed to be well only after this time."""
_SCARCE = (Reason.UNSCHEDULABLE, Reason.FORBIDDEN)
"""Troubles that mean fewer workers than wanted; they are none as long as some work."""


def worker_facts(deployment: Part | None, pods: Sequence[Part], now: float, *, settled: bool = True) -> WorkerFacts:
    """All facts at once; `now` is in seconds since the epoch."""
    facts = tuple(pod_facts(pod, now) for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])))
    return WorkerFacts(
        deployment=deployment_facts(deployment, settled=settled) if deployment else None,
        pods=facts,
        trouble=_first_trouble(deployment, facts),
    )


def deployment_facts(deployment: Part, *, settled: bool) -> DeploymentFacts:
    """Number of pods that the Deployment wants and that are ready, and whether it is `settled`."""
    status = deployment.get("status") or {}
    return DeploymentFacts(
        replicas=int(deployment["spec"].get("replicas", 1)), ready=int(status.get("readyReplicas", 0)), settled=settled
    )


def pod_facts(pod: Part, now: float) -> PodFacts:
    """One pod. `restarts` counts the containers that ended in it, and `started_at` is a time that lies after all they
    took from the queue and before anything that the running one took."""
    meta, status = pod["metadata"], pod.get("status") or {}
    terminating = bool(meta.get("deletionTimestamp"))
    container = _status_of_worker(status)
    return PodFacts(
        name=meta["name"],
        ready=_is_ready(status) and not terminating,
        terminating=terminating,
        ended=_has_ended(pod, container),
        restarts=container.get("restartCount", 0) + (1 if _final(container) else 0),
        started_at=_boundary(container),
        trouble=None if terminating else _trouble(pod, container, now),
    )


def _status_of_worker(status: Part) -> Part:
    found = (part for part in status.get("containerStatuses") or () if part.get("name") == WORKER_CONTAINER)
    return next(found, {})


def _is_ready(status: Part) -> bool:
    return any(part.get("type") == "Ready" and part.get("status") == "True" for part in status.get("conditions") or ())


def _has_ended(pod: Part, container: Part) -> bool:
    """The kubelet restarts nothing in a pod that has failed or is being deleted.

    A first container that is said to wait may have started already; only on no node it certainly has not.
    """
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    deleted = bool(pod["metadata"].get("deletionTimestamp"))
    return deleted and (_final(container) is not None or not pod["spec"].get("nodeName"))


def _final(container: Part) -> Part | None:
    """The end of the newest container; None while it runs or has not run yet."""
    state: Part = container.get("state") or {}
    if "running" in state:
        return None
    return state.get("terminated") or (container.get("lastState") or {}).get("terminated")


def _last_end(container: Part) -> Part | None:
    return _final(container) or (container.get("lastState") or {}).get("terminated")


def _boundary(container: Part) -> float | None:
    """The second after the last end: the API cuts times to whole seconds, and what was taken in the last one counts."""
    end = _time((_last_end(container) or {}).get("finishedAt"))
    if end is not None:
        return end + 1
    return _time(((container.get("state") or {}).get("running") or {}).get("startedAt"))


def _trouble(pod: Part, container: Part, now: float) -> Trouble | None:
    spec: Part = next((part for part in pod["spec"]["containers"] if part["name"] == WORKER_CONTAINER), {})
    worker, state = worker_of(pod, spec), container.get("state") or {}
    end = _last_end(container)
    if end is not None and not _runs_well(state, now):
        return ended_trouble(worker, end)
    if "running" in state:
        return None
    return unschedulable(pod) or waiting_trouble(worker, state.get("waiting") or {}, _age(pod, now))


def _runs_well(state: Part, now: float) -> bool:
    started = _time((state.get("running") or {}).get("startedAt"))
    return started is not None and now - started > _RECENT_SECONDS


def _age(pod: Part, now: float) -> float:
    """Since it was given to a node."""
    return now - (_time((pod.get("status") or {}).get("startTime")) or now)


def _first_trouble(deployment: Part | None, pods: Sequence[PodFacts]) -> Trouble | None:
    found = [pod.trouble for pod in pods if pod.trouble]
    refused = refused_pods(deployment) if deployment else None
    found += [refused] if refused else []
    works = any(pod.ready and pod.trouble is None for pod in pods)
    return next((trouble for trouble in found if not (works and trouble.reason in _SCARCE)), None)


def _time(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
