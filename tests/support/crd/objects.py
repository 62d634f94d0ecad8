"""TaskGroups that use every field of the CRD, and small edits of them."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

Json = Any
Edits = Mapping[str, Json]

ABSENT: Final = object()
"""As a value of an edit: remove the field."""

SIGNATURE: Final[dict[str, Json]] = {
    "task": "images.resize",
    "args": ["$(item)", None, 1.5, {"deep": [None]}],
    "kwargs": {"width": 64, "none": None},
    "options": {
        "timeLimitSeconds": 30,
        "softTimeLimitSeconds": 25,
        "priority": 9,
        "ignoreResult": True,
        "immutable": True,
        "expiresSeconds": 60,
        "countdownSeconds": 5,
        "headers": {"tenant": "a"},
        "shadow": "resize",
    },
}
CHAIN: Final[dict[str, Json]] = {"chain": [deepcopy(SIGNATURE), {"task": "images.store"}]}
FILES: Final = [{"key": "a", "path": "etc/a", "mode": 0o400}]
BACKEND: Final[dict[str, Json]] = {
    "secretKeyRef": {"name": "broker", "key": "url"},
    "caSecretKeyRef": {"name": "authority", "key": "ca.crt"},
    "clientCertificateSecretRef": {"name": "client"},
    "transportOptions": {
        "globalKeyPrefix": "shop:",
        "socketTimeoutSeconds": 5,
        "socketConnectTimeoutSeconds": 5,
        "socketKeepalive": True,
        "healthCheckIntervalSeconds": 25,
    },
}
SIDE: Final[dict[str, Json]] = {
    "name": "fetch",
    "image": "registry.example/fetch:1",
    "command": ["sh", "-c"],
    "args": ["cp model /data"],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "envFrom": [{"configMapRef": {"name": "settings"}}],
    "resources": {"requests": {"cpu": 0.05}},
    "volumeMounts": [{"name": "map", "mountPath": "/data", "subPath": "a", "readOnly": True}],
}
PROXY: Final[dict[str, Json]] = {
    **SIDE,
    "name": "proxy",
    "volumeMounts": [{"name": "secret", "mountPath": "/data", "subPath": "a", "readOnly": True}],
}
WORKERS: Final[dict[str, Json]] = {
    "image": "registry.example/shop:1.4",
    "imagePullPolicy": "IfNotPresent",
    "imagePullSecrets": [{"name": "registry"}],
    "app": "shop.celery",
    "maxReplicas": 10,
    "concurrency": 4,
    "pool": "prefork",
    "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "128Mi"}},
    "env": [
        {"name": "PLAIN", "value": "1"},
        {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a", "optional": True}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "passwords", "key": "a", "optional": True}}},
        {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "envFrom": [
        {"prefix": "A_", "configMapRef": {"name": "settings", "optional": True}},
        {"secretRef": {"name": "passwords", "optional": True}},
    ],
    "volumes": [
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        {"name": "map", "configMap": {"name": "settings", "items": FILES, "defaultMode": 0o444, "optional": True}},
        {"name": "secret", "secret": {"secretName": "pw", "items": FILES, "defaultMode": 0o400, "optional": True}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "pictures", "readOnly": True}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "settings", "items": FILES, "optional": True}},
                    {"secret": {"name": "passwords", "items": FILES, "optional": True}},
                ],
                "defaultMode": 0o444,
            },
        },
    ],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch", "subPath": "a", "readOnly": False}],
    "nodeSelector": {"disk": "fast"},
    "tolerations": [
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5},
    ],
    "affinity": {"nodeAffinity": {"anything": ["goes"]}},
    "serviceAccountName": "worker",
    "securityContext": {
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "supplementalGroups": [1000],
        "readOnlyRootFilesystem": False,
    },
    "priorityClassName": "batch",
    "runtimeClassName": "gvisor",
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "podLabels": {"team": "images"},
    "podAnnotations": {"note": "a b"},
    "terminationGracePeriodSeconds": 90,
    "initContainers": [SIDE],
    "sidecars": [PROXY],
}
COMMON: Final[dict[str, Json]] = {
    "chunkSize": 1,
    "chunkResult": "Flatten",
    "onUnknownTask": "FailItem",
    "parallelism": 50,
    "rateLimit": "10/m",
    "successPolicy": {"succeededPercent": 90},
    "successWhen": "result.sent == true",
    "retryPolicy": {
        "limit": 3,
        "maxWorkerLosses": 5,
        "backoff": {"initialSeconds": 1, "factor": 1.5, "maxSeconds": 60, "jitter": 0.5},
        "rules": [{"onException": ["ValueError"], "onMessage": "^bad", "action": "FailItem"}],
    },
    "maxFailedItems": 5,
    "activeDeadlineSeconds": 600,
    "onDeadline": "Partial",
    "cancel": True,
    "ttlSecondsAfterFinished": 60,
    "suspend": True,
    "suspendMode": "Stop",
    "retry": {"id": "again-1", "indexes": "3,7-9"},
    "failureTracebacks": False,
    "workers": WORKERS,
    "broker": BACKEND,
    "resultBackend": BACKEND,
}
MATRIX: Final[dict[str, Json]] = {
    "axes": {"path": ["a.jpg", None, {"deep": [None]}], "width": [64, 256]},
    "exclude": [{"path": "a.jpg", "width": 256}],
    "include": [{"path": "b.jpg", "width": 64, "more": None}],
}
SPECS: Final[dict[str, dict[str, Json]]] = {
    "items": {
        **COMMON,
        "items": [None, 1, 1.5, "a", {"b": [None]}, [[]]],
        "template": SIGNATURE,
        "before": {**deepcopy(SIGNATURE), "args": [1], "prependResult": True},
        "callback": {**deepcopy(SIGNATURE), "args": [1], "input": "Summary"},
        "onFailure": {**deepcopy(SIGNATURE), "args": [1]},
        "onItemSuccess": {**deepcopy(SIGNATURE), "args": [1]},
        "onItemFailure": {**deepcopy(SIGNATURE), "args": [1]},
    },
    "sequence": {
        **COMMON,
        "sequence": {"start": 1, "count": 3, "step": 2},
        "template": {**SIGNATURE, "args": ["$(items)"]},
        "chunkSize": 2,
        "chunkResult": "Whole",
    },
    "matrix": {**COMMON, "matrix": MATRIX, "template": SIGNATURE},
    "chain": {
        **COMMON,
        "itemsFrom": {"before": {}},
        "before": {"chain": [{**deepcopy(SIGNATURE), "args": [1]}], "prependResult": False},
        "template": CHAIN,
        "callback": {"chain": [{**deepcopy(SIGNATURE), "args": [1]}], "input": "Results"},
    },
    "url": {
        **COMMON,
        "itemsFrom": {"url": "https://files.example/a", "format": "JSONLines", "sha256": "0" * 64},
        "template": SIGNATURE,
    },
    "configMap": {
        **COMMON,
        "itemsFrom": {"configMap": {"name": "customers", "key": "a.csv"}},
        "template": SIGNATURE,
    },
    "secret": {**COMMON, "itemsFrom": {"secret": {"name": "customers", "key": "a.csv"}}, "template": SIGNATURE},
    "claim": {
        **COMMON,
        "itemsFrom": {"persistentVolumeClaim": {"claimName": "files", "path": "a/b.csv"}},
        "template": SIGNATURE,
    },
    "s3": {
        **COMMON,
        "itemsFrom": {
            "s3": {
                "endpoint": "https://s3.example",
                "bucket": "customers",
                "key": "a b/c.csv",
                "region": "eu-1",
                "credentialsSecretRef": {"name": "s3"},
            },
            "caSecretKeyRef": {"name": "authority", "key": "root.pem"},
        },
        "template": SIGNATURE,
    },
    "tasks": {**COMMON, "tasks": [SIGNATURE, CHAIN], "successPolicy": {"succeededCount": 1}},
    "group": {**COMMON, "items": [1], "template": {"group": [SIGNATURE, CHAIN]}},
}
TIME: Final = "2026-01-02T03:04:05Z"
STATUS: Final[dict[str, Json]] = {
    "state": "Running",
    "observedGeneration": 1,
    "startTime": TIME,
    "completionTime": TIME,
    "total": 6,
    "pending": 1,
    "active": 1,
    "retrying": 0,
    "succeeded": 1,
    "failed": 2,
    "cancelled": 1,
    "progress": "4/6",
    "messages": "2/3",
    "rate": "7.5/min",
    "estimatedCompletionTime": TIME,
    "percent": 66,
    "completedIndexes": "0",
    "failedIndexes": "1-2",
    "indexesTruncated": False,
    "failures": [
        {
            "reason": "ValueError",
            "message": "bad",
            "count": 2,
            "indexes": "1-2",
            "lastTime": TIME,
            "traceback": 'File "/app/shop.py", line 7, in resize\n  raise ValueError("bad")',
        }
    ],
    "before": {"state": "Succeeded", "reason": "", "message": "", "result": "[1]"},
    "onFailure": {"state": "Running", "reason": "", "message": "", "result": "[1]"},
    "onItemSuccess": {"pending": 1, "succeeded": 2, "failed": 3, "cancelled": 4},
    "onItemFailure": {"pending": 1, "succeeded": 2, "failed": 3, "cancelled": 4},
    "callback": {"state": "Failed", "reason": "ValueError", "message": "bad", "result": "[1]"},
    "workers": {"replicas": 1, "ready": 1, "busy": 1},
    "lastRetryId": "again-1",
    "items": {"count": 6, "sha256": "0" * 64, "chunkSize": 2, "chunkStarts": "3"},
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Running",
            "message": "4 of 6 items have ended.",
            "lastTransitionTime": TIME,
            "observedGeneration": 1,
        }
    ],
}
LEAST: Final[dict[str, Json]] = {
    "items": [1],
    "template": {"task": "images.resize"},
    "workers": {"image": "shop", "app": "shop"},
}


def task_group(spec: Mapping[str, Json], edits: Edits | None = None, *, name: str = "example") -> dict[str, Json]:
    """A TaskGroup with this spec and these edits, which are by path, such as `spec.workers.env.0.name`."""
    group: dict[str, Json] = {
        "apiVersion": "taskgroups.dev/v1alpha1",
        "kind": "TaskGroup",
        "metadata": {"name": name},
        "spec": deepcopy(dict(spec)),
    }
    return edited(group, edits or {})


def replacement(spec: Mapping[str, Json], edits: Edits, stored: Mapping[str, Json]) -> dict[str, Json]:
    """The TaskGroup with these edits as an update of the stored one."""
    keys = ("name", "namespace", "resourceVersion")
    return task_group(spec, edits) | {"metadata": {key: stored["metadata"][key] for key in keys}}


def edited(whole: dict[str, Json], edits: Edits) -> dict[str, Json]:
    """A copy with the edits made."""
    whole = deepcopy(whole)
    for path, value in edits.items():
        *parents, last = (int(step) if step.isdigit() else step for step in path.split("."))
        part: Json = whole
        for step in parents:
            part = part[step]
        if value is ABSENT:
            del part[last]
        else:
            part[last] = deepcopy(value)
    return whole
