"""A few minutes in the life of a shop: the story that the dashboards are tried on, and that their pictures show.

Groups succeed, fail in several ways, run out of time, are suspended or cannot start; one of chains has a callback that
fails, one is paced and runs failed items again; a worker is killed with its items, Redis hangs and is nearly full, and
one group gets more workers, another one fewer. Steps wait until Prometheus has seen the last one.
"""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dashboards.prometheus import Prometheus

from support.groups import Group, holding, probe_workers, workers
from support.kube import PODS, Kube
from support.node import frozen, kill_container
from support.quick_rules import firing
from support.space import REDIS, Space
from support.wait import eventually
from taskgroup.api.names import WORKER_CONTAINER
from taskgroup.core.status.conditions import seconds

_LOOK_SECONDS = 0.5
_DEADLINE_SECONDS = 40
"""From the begin of the first items: a pod may take as long to start."""
_LATE_SECONDS = 8
"""At two items in this time the eighteen others need longer than the deadline leaves, however fast the machine is."""
_NEARLY_FULL = 1.1
_ONCE_MORE = {"limit": 1, "backoff": {"initialSeconds": 3, "jitter": 0}}
_ENDS = {
    "invoices": "Complete",
    "thumbnails": "Failed",
    "orders": "Failed",
    "documents": "Failed",
    "newsletters": "Complete",
}
_WRITTEN_SECONDS = 2
"""A status is written a moment before the metrics tell it."""


@dataclass(slots=True)
class Story:
    """What was made, and from when to when. At `end` much still runs; at `rest` no count changes any more."""

    system: Kube
    space: Space
    prometheus: Prometheus
    groups: dict[str, Group] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    rest: float = 0.0
    statuses: dict[str, Any] = field(default_factory=dict)
    """At rest."""

    def tell(self) -> None:
        """All of it."""
        # From before the first event on: what happened before Prometheus came is no event of its graphs.
        self.until_seen("count_over_time(taskgroup_leader[1m]) > 3", "count_over_time(redis_up[1m]) > 3")
        # An object's times have no fractions.
        self.start = time.time() - 1
        self._open()
        self._late_and_stalled()
        self._suspend_one()
        self._more_workers()
        self._kill_a_worker()
        self._redis_hangs()
        self._redis_is_nearly_full()
        self._fewer_workers()
        self._until_settled()
        self.end = time.time()

    def come_to_rest(self) -> None:
        """Stop what still runs, and read the truth: all statuses, and then what Prometheus saw of them."""
        self.groups["catalogue"].change(suspend=True)
        self.groups["catalogue"].until(lambda seen: seen["state"] == "Suspended" and not seen["active"])
        self.groups["catalogue"].until_no_workers()
        self.groups["catalogue"].until(lambda seen: not seen["workers"]["replicas"])
        self.statuses = {name: group.status() for name, group in self.groups.items()}
        self.until_seen(f"timestamp(taskgroup_leader) > {time.time() + _WRITTEN_SECONDS}")
        self.rest = time.time()

    def until_seen(self, *expressions: str) -> None:
        """Prometheus has something to say to each."""
        for expression in expressions:
            eventually(partial(self._seen, expression), state=partial(str, expression), step=_LOOK_SECONDS)

    def _seen(self, expression: str) -> bool:
        return bool(self.prometheus.at(expression, time.time()))

    def of(self, metric: str, name: str, **labels: str) -> str:
        """The series of a metric of one group."""
        wanted = {"namespace": self.space.kube.namespace, "taskgroup": name, **labels}
        matchers = ", ".join(f'{label}="{value}"' for label, value in wanted.items())
        return f"{metric}{{{matchers}}}"

    def _create(self, name: str, **spec: object) -> Group:
        self.groups[name] = self.space.create(name, **spec)
        return self.groups[name]

    def _open(self) -> None:
        self._create("catalogue", **_work(6000, "shop.price"), activeDeadlineSeconds=3600)
        self._create("reports", **_work(40, "shop.bill") | {"workers": workers(image="localhost/reports:none")})
        self._create("orders", **holding(20))
        self._create("invoices", **_work(150, "shop.bill"))

    def _late_and_stalled(self) -> None:
        """Two items end, so late that somebody can tell that the others will not in time."""
        orders = self.groups["orders"]
        orders.until_run(2)
        orders.change(activeDeadlineSeconds=round(_age(orders.status())) + _DEADLINE_SECONDS)
        orders.until(lambda seen: _age(seen) > _LATE_SECONDS)
        orders.let_end(2)
        self.until_seen(firing("TaskGroupDeadlineAtRisk", taskgroup="orders"))

    def _suspend_one(self) -> None:
        archive = self._create("archive", **holding(30))
        archive.let_end(8)
        archive.until_run(10)
        archive.change(suspend=True)
        archive.until(lambda seen: seen["state"] == "Suspended")
        archive.open_gate()
        archive.until(lambda seen: seen["state"] == "Suspended" and not seen["active"])
        self._create("thumbnails", **_work(160, "shop.resize"))
        self._create("documents", **_documents())
        self._create("newsletters", **_work(60, "shop.send"), rateLimit="4/s", retryPolicy=_ONCE_MORE)

    def _more_workers(self) -> None:
        self.groups["catalogue"].change(workers={"maxReplicas": 3})
        self.until_seen(f"{self.of('taskgroup_workers_busy', 'catalogue')} == 3")

    def _kill_a_worker(self) -> None:
        """All of them are busy."""
        catalogue = self.groups["catalogue"]
        kill_container(catalogue.kube.kubeconfig, catalogue.pods()[0], WORKER_CONTAINER)
        self.until_seen(
            f"{self.of('taskgroup_worker_restarts_total', 'catalogue')} == 1",
            f"{self.of('taskgroup_workers_ready', 'catalogue')} == 3",
        )

    def _redis_hangs(self) -> None:
        """So long that everybody who needs it has noticed."""
        pod = self.system.select(PODS, REDIS)[0]
        with frozen(self.system.kubeconfig, pod, "redis"):
            away = self.of("taskgroup_condition", "catalogue", condition="BackendReachable", reason="Unreachable")
            self.until_seen(
                "redis_up == 0",
                "count_over_time((taskgroup_redis_servers_unreachable > 0)[1m:1s]) > 5",
                f"{away} == 0",
                firing("TaskGroupBrokerUnreachable", taskgroup="catalogue"),
                firing("TaskGroupRedisUnreachable"),
            )
        back = self.of("taskgroup_condition", "catalogue", condition="BackendReachable", reason="Reachable")
        self.until_seen("redis_up == 1", "taskgroup_redis_servers_unreachable == 0", f"{back} == 1")

    def _redis_is_nearly_full(self) -> None:
        """Its limit comes down to little more than what it uses."""
        redis = self.space.redis
        before = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] * _NEARLY_FULL))
        try:
            self.until_seen(firing("TaskGroupRedisMemoryHigh"))
        finally:
            redis.config_set("maxmemory", str(before))

    def _fewer_workers(self) -> None:
        exports = self._create("exports", **holding(8, concurrency=1, maxReplicas=3))
        self.until_seen(f"{self.of('taskgroup_workers_busy', 'exports')} == 3")
        exports.let_end(6)
        self.until_seen(f"{self.of('taskgroup_workers_present', 'exports')} == 2")
        exports.open_gate()
        exports.until_finished()

    def _until_settled(self) -> None:
        for name, state in _ENDS.items():
            self.groups[name].until_finished(state)
            self.groups[name].until_no_workers()
        self.until_seen(
            self.of("taskgroup_worker_trouble", "reports"),
            self.of("taskgroup_estimated_completion_timestamp_seconds", "catalogue"),
        )


def _work(count: int, task: str) -> dict[str, object]:
    """The part of a spec that runs a task of the shop."""
    return {
        "sequence": {"count": count},
        "template": {"task": task, "args": ["$(item)"]},
        "workers": probe_workers(app="shop", concurrency=4),
    }


def _documents() -> dict[str, object]:
    """Chains with something before them, after them, and in place of what fails then."""
    work = _work(60, "shop.bill")
    steps = [{"task": "shop.bill", "args": ["$(item)"]}, {"task": "shop.bill"}, {"task": "shop.bill"}]
    work["template"] = {"chain": steps}
    work["before"] = {"task": "shop.bill", "args": [3]}
    work["callback"] = {"task": "shop.bind", "args": [9]}
    work["onFailure"] = {"task": "shop.bill", "args": [3], "options": {"immutable": True}}
    return work


def _age(status: dict[str, Any]) -> float:
    """Seconds since the start of a group."""
    return time.time() - seconds(status["startTime"])


def keep(folder: Path, story: Story) -> None:
    """Write beside Prometheus' data what who draws it later must know."""
    told = {"start": story.start, "end": story.end, "namespace": story.space.kube.namespace}
    (folder / "story.json").write_text(json.dumps(told))
