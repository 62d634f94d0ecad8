"""TaskGroups of the end-to-end tests: manifests, and reads and waits for one group."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from support.kube import DEPLOYMENTS, EVENTS, LEDGERS, PODS, TASK_GROUPS, Kube
from support.wait import COMMAND_SECONDS, PATIENCE
from taskgroup.api.names import API_VERSION, KIND, LABEL_UID
from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.cluster.children import child_name

Object = dict[str, Any]
WORKER_IMAGE = "localhost/taskgroup-worker:dev"
CELERY53_IMAGE = "localhost/test-celery53:dev"
AWKWARD_IMAGE = "localhost/test-awkward:dev"
REDIS_IMAGE = "localhost/redis:7"
PROBE = "probe"
"""Name of the probe app, of the ConfigMap with it, and of the Secret with the URL of the Redis where it notes."""
GATE_KEPT_SECONDS = 3600
"""How long an open gate is of use to anybody."""
SECRET = "redis"
"""Name of the Secret with the broker's URL in every test namespace."""
_COUNTS = ("pending", "active", "succeeded", "failed", "cancelled")


def workers(app: str = "demo", image: str = WORKER_IMAGE, **fields: Any) -> Object:
    """Small worker pods: two items at once, one pod unless the test says otherwise."""
    resources = {"requests": {"cpu": "50m", "memory": "48Mi"}}
    return {"image": image, "app": app, "concurrency": 2, "resources": resources, **fields}


def probe_workers(image: str = WORKER_IMAGE, **fields: Any) -> Object:
    """Workers that run the probe app, or another one from the ConfigMap of that name."""
    return workers(
        fields.pop("app", PROBE),
        image,
        env=[
            {"name": "PYTHONPATH", "value": "/probe:/app"},
            {"name": "PROBE_URL", "valueFrom": {"secretKeyRef": {"name": PROBE, "key": "url"}}},
        ],
        volumes=[{"name": PROBE, "configMap": {"name": PROBE}}],
        volumeMounts=[{"name": PROBE, "mountPath": "/probe", "readOnly": True}],
        **fields,
    )


def manifest(name: str, **spec: Any) -> Object:
    """A TaskGroup on the namespace's Redis; `broker=None` leaves the broker to the operator."""
    defaults = {"workers": workers(), "broker": {"secretKeyRef": {"name": SECRET}}}
    fields = {key: value for key, value in (defaults | spec).items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": fields}


def counting(count: int, task: str = "probe.count", **worker_fields: Any) -> Object:
    """The part of a spec that runs a task of the probe for the integers below `count`."""
    return {
        "sequence": {"count": count},
        "template": {"task": task, "args": ["$(item)"]},
        "workers": probe_workers(**worker_fields),
    }


def holding(count: int, **worker_fields: Any) -> Object:
    """As `counting`, but each item runs until the test lets it go: see `let_pass` and `open_gate`."""
    return counting(count, "probe.hold", **worker_fields)


@dataclass(frozen=True, slots=True)
class Group:
    """One TaskGroup, which may have been deleted."""

    kube: Kube
    redis: Redis
    name: str
    uid: str

    @property
    def child(self) -> str:
        """Name of its Deployment."""
        return child_name(self.name, self.uid)

    @property
    def books(self) -> BookKeys:
        """The keys of its books in Redis."""
        return BookKeys("", self.uid)

    @property
    def pool(self) -> PoolKeys:
        """The keys of its own workers' queue."""
        return PoolKeys("", self.uid)

    def status(self) -> Object:
        """Its status; empty before the operator's first write and after the object was deleted."""
        group = self.kube.find(TASK_GROUPS, self.name) or {}
        status: Object = group.get("status") or {}
        return status if "state" in status else {}

    def until(self, holds: Callable[[Object], Any], seconds: float = PATIENCE) -> Object:
        """The first status for which the function returns true."""
        status: Object = {}

        def is_reached() -> bool:
            nonlocal status
            status = self.status()
            return bool(status) and bool(holds(status))

        self.kube.until(is_reached, seconds, lambda: json.dumps(status, indent=1))
        return status

    def until_gone(self) -> None:
        """The object is no more."""
        self.kube.until(lambda: self.kube.find(TASK_GROUPS, self.name) is None, state=self.status)

    def let_pass(self, count: int) -> None:
        """Let this many of the items that wait at the gate end, now or when they come to it."""
        self._put(*["pass"] * count)

    def open_gate(self) -> None:
        """Let all of them end, and all that come later."""
        self._put("open")

    def let_end(self, count: int) -> Object:
        """Let this many of the held items end; the status that counts them."""
        before = self.status().get("succeeded", 0)
        self.let_pass(count)
        return self.until(lambda current: current["succeeded"] == before + count)

    def _put(self, *tokens: str) -> None:
        gate = f"probe:{self.uid}:gate"
        self.redis.lpush(gate, *tokens)
        self.redis.expire(gate, GATE_KEPT_SECONDS)

    def until_run(self, count: int) -> None:
        """So many different items have begun."""
        self.kube.until(lambda: len(self.runs()) == count, state=self.runs)

    def until_said(self, kind: str, reason: str, *words: str) -> Object:
        """The status in which a condition is false for this reason, with these words in its message."""

        def is_said(current: Object) -> bool:
            entry = condition(current, kind)
            is_false = (entry.get("status"), entry.get("reason")) == ("False", reason)
            return is_false and all(word in entry["message"] for word in words)

        return self.until(is_said)

    def until_finished(self, state: str = "Complete", seconds: float = PATIENCE) -> Object:
        """The status at the end; AssertionError when it is not the expected one."""
        status = self.until(lambda current: condition(current, "Finished").get("status") == "True", seconds)
        assert status["state"] == state, json.dumps(status, indent=1)
        assert_counts_add_up(status)
        return status

    def until_no_workers(self, seconds: float = PATIENCE) -> None:
        """The Deployment is at 0 and no pod is left."""
        self.kube.until(lambda: not self.replicas() and not self.pods(), seconds, self.pods)

    def until_replicas(self, count: int) -> None:
        """The Deployment wants so many pods."""
        self.kube.until(lambda: self.replicas() == count, state=self.deployment)

    def change(self, **spec: Any) -> None:
        """Merge into the spec."""
        self.kube.patch("taskgroup", self.name, {"spec": spec})

    def deployment(self) -> Object | None:
        """Its workers' Deployment."""
        return self.kube.find(DEPLOYMENTS, self.child)

    def replicas(self) -> int:
        """Pods that the Deployment wants; 0 without one."""
        deployment = self.deployment()
        return int(deployment["spec"]["replicas"]) if deployment else 0

    def pods(self) -> list[Object]:
        """Its worker pods."""
        return self.kube.select(PODS, f"{LABEL_UID}={self.uid}")

    def ledger(self) -> Object | None:
        """The TaskGroupLedger with its books."""
        return self.kube.find(LEDGERS, f"{self.child}-ledger")

    def events(self) -> list[str]:
        """Reasons of its events, by time."""
        events = [event for event in self.kube.select(EVENTS) if event["involvedObject"].get("uid") == self.uid]
        return [event["reason"] for event in sorted(events, key=_time)]

    def results(self) -> list[Object]:
        """What `python -m taskgroup results` prints."""
        command = [sys.executable, "-m", "taskgroup", "results", self.name]
        command += ["--namespace", self.kube.namespace, "--kubeconfig", self.kube.kubeconfig]
        process = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        assert process.returncode == 0, process.stderr
        return [json.loads(line) for line in process.stdout.splitlines()]

    def values(self) -> list[Any]:
        """The items' values in index order; AssertionError when one is not a success."""
        lines = self.results()
        assert all(line["status"] == "SUCCESS" for line in lines), lines
        return [line["result"] for line in lines]

    def runs(self) -> dict[int, int]:
        """How often each item began, as the probe noted it."""
        counts: Any = self.redis.hgetall(f"probe:{self.uid}:runs")
        return {int(index): int(count) for index, count in counts.items()}

    def order(self) -> list[int]:
        """The items in the order in which they began."""
        indexes: Any = self.redis.lrange(f"probe:{self.uid}:order", 0, -1)
        return [int(index) for index in indexes]

    def most_at_once(self) -> int:
        """The most held items that ran at one moment, as the probe noted it."""
        most: Any = self.redis.zscore(f"probe:{self.uid}:at_once", "most")
        return int(most or 0)

    def queued(self) -> int:
        """Messages that no worker has taken."""
        return sum(int(self.redis.llen(name)) for name in self.pool.lists)

    def held(self) -> dict[str, int]:
        """Messages that workers have taken and not acknowledged, by the key that names the pod."""
        return {key: int(self.redis.hlen(key)) for key in self.traces(":unacked:")}

    def in_broker(self) -> int:
        """Messages that are not done: the queue, and what workers hold, read at once."""
        unacked_keys = self.traces(":unacked:")
        pipe = self.redis.pipeline(transaction=True)
        for name in self.pool.lists:
            pipe.llen(name)
        for name in unacked_keys:
            pipe.hlen(name)
        return sum(pipe.execute())

    def traces(self, part: str = "") -> list[str]:
        """Keys in Redis that carry its uid, except the probe's notes."""
        keys = (key.decode() for key in self.redis.scan_iter(match=f"*{self.uid}*", count=5000))
        return sorted(key for key in keys if part in key and not key.startswith("probe:"))


def condition(status: Object, kind: str) -> Object:
    """The condition of a type; empty when it was never written."""
    return next((entry for entry in status.get("conditions", ()) if entry["type"] == kind), {})


def assert_counts_add_up(status: Object) -> None:
    """Every item is in exactly one count."""
    assert sum(status[name] for name in _COUNTS) == status["total"], json.dumps(status, indent=1)


def _time(event: Object) -> str:
    return str(event.get("eventTime") or event.get("firstTimestamp") or event["metadata"]["creationTimestamp"])
