"""Pods and Deployments as the API server shows them, in the states that matter to the workers of a group."""

from typing import Any

NOW = 1_800_000_000.0
LONG_AGO = "2027-01-15T07:00:00Z"
JUST_NOW = "2027-01-15T07:59:58Z"
ENDED_AT, ENDED = "2027-01-15T07:59:55Z", NOW - 5
READY: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}


def pod(
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    *,
    restarts: int = 0,
    deleted: bool = False,
    node: str | None = "node-1",
    **status: Any,
) -> dict[str, Any]:
    """A pod with a worker container in this state, and a sidecar that runs and has restarted often."""
    container = {"name": "worker", "restartCount": restarts, "state": state or {}, "lastState": last or {}}
    meta = {"name": "w-1", "namespace": "shop"} | ({"deletionTimestamp": LONG_AGO} if deleted else {})
    spec = {
        "containers": [
            {"name": "proxy", "image": "mesh"},
            {"name": "worker", "image": "shop:1", "args": ["-A", "shop.celery", "worker"]},
        ]
    }
    statuses = [{"name": "proxy", "restartCount": 7, "state": {"running": {"startedAt": LONG_AGO}}}, container]
    return {
        "metadata": meta,
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": {"phase": "Running", "startTime": LONG_AGO, "containerStatuses": statuses if state else [], **status},
    }


def running(since: str = LONG_AGO) -> dict[str, Any]:
    """A container that runs."""
    return {"running": {"startedAt": since}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """A container that waits, in the kubelet's words."""
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int = 1, message: str = "", reason: str = "Error", at: str | None = ENDED_AT) -> dict[str, Any]:
    """A container that ended; `message` is the end of its log."""
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, "finishedAt": at}}


def deployment(message: str | None = None, **status: Any) -> dict[str, Any]:
    """A Deployment of two pods; with a message, its pods cannot be created."""
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return {
        "spec": {"replicas": 2},
        "status": {"conditions": [failure] if message else [], **status},
    }


_SHUTDOWN = "Pod was terminated in response to imminent node shutdown."
_PRESSURE = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi."


def disrupted(reason: str, message: str = "") -> dict[str, Any]:
    """The condition with which Kubernetes announces that it, and not the workload, ends a pod."""
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return {"conditions": [{"type": "Ready", "status": "False"}, target]}


def taken_away(reason: str, message: str, **status: Any) -> dict[str, Any]:
    """A pod that the kubelet made fail, as it stays in the API: killed, and never restarted."""
    return pod(ended(137), phase="Failed", reason=reason, message=message, **status)


DISRUPTED = {
    "eviction by the API": pod(ended(137), deleted=True, **disrupted("EvictionByEvictionAPI")),
    "preemption": pod(ended(137), deleted=True, **disrupted("PreemptionByScheduler")),
    "a taint": pod(ended(137), deleted=True, **disrupted("DeletionByTaintManager")),
    "node pressure": taken_away("Evicted", _PRESSURE, **disrupted("TerminationByKubelet", _PRESSURE)),
    "node shutdown": taken_away("Terminated", _SHUTDOWN, **disrupted("TerminationByKubelet", _SHUTDOWN)),
    "a critical pod": taken_away(
        "Preempting", "Preempted in order to admit critical pod", **disrupted("TerminationByKubelet")
    ),
    "a lost node": pod(running(), phase="Failed", **disrupted("DeletionByPodGC", "PodGC: node no longer exists")),
    "not admitted again": taken_away("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed"),
}
"""Pods that the cluster ended, as the kubelet and the control plane of Kubernetes 1.36 write them."""
OVER_LIMIT = taken_away("Evicted", 'Usage of EmptyDir volume "scratch" exceeds the limit "1Gi". ')
"""The kubelet evicts a pod for its own use of storage, too, but without the condition."""
