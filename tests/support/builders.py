"""Short ways to say what a test looks at: a spec, books, a look at a group. What is not named does not matter there."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pyroaring import FrozenBitMap

from taskgroup.api.names import ConditionType
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import Condition, TaskGroupStatus
from taskgroup.core.groups.observed import (
    Arrivals,
    BrokerFacts,
    DeploymentFacts,
    FailedItem,
    Meta,
    Observed,
    PodFacts,
    WorkerFacts,
)
from taskgroup.core.groups.plan import Action, Plan
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work, compile_work
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import find

NOW = 1_800_000_000.0
NONCE = "nonce"
NAME = "thumbnails"


def indexes(*values: int | range) -> Indexes:
    """indexes(1, range(4, 6)) is {1, 4, 5}."""
    members = [value if isinstance(value, range) else range(value, value + 1) for value in values]
    return FrozenBitMap(index for part in members for index in part)


def spec(count: int = 10, **fields: Any) -> TaskGroupSpec:
    """A sequence of `count` integers, unless the fields name another source."""
    workers = {"image": "shop:1", "app": "shop.celery", "concurrency": 4, "maxReplicas": 10}
    base: dict[str, Any] = {"workers": workers | fields.pop("workers", {})}
    if "tasks" not in fields:
        base["template"] = {"task": "shop.send", "args": ["$(item)"]}
    if not {"items", "tasks"} & fields.keys():
        base["sequence"] = {"count": count}
    return TaskGroupSpec.model_validate(base | fields)


def work(wanted: TaskGroupSpec | None = None) -> Work:
    """The spec's items, compiled."""
    return compile_work(wanted or spec(), NAME)


def ledger(
    total: int = 10,
    *,
    sent: int | Mapping[int, int] = 0,
    returned: Indexes = NONE,
    succeeded: Indexes = NONE,
    failed: Indexes = NONE,
    **fields: Any,
) -> Ledger:
    """Books in which the first `sent` items were dispatched; the failed ones failed with ValueError."""
    cursors = sent if isinstance(sent, Mapping) else {0: sent}
    base = Ledger(
        total=total,
        nonce=NONCE,
        cursors=MappingProxyType(dict(cursors)),
        returned=returned,
        succeeded=succeeded,
        running_since=NOW,
    )
    return replace(base.failed_with("ValueError", "bad", failed, NOW), **fields)


def arrived(succeeded: Iterable[int] = (), failed: Iterable[int] = (), *, reason: str = "ValueError") -> Arrivals:
    """Ends of items; failures share one message."""
    return Arrivals(FrozenBitMap(succeeded), tuple(FailedItem(index, reason, "bad") for index in failed))


def unknown_task(*items: int, task: str = "shop.send") -> Arrivals:
    """What a worker answers to a message whose task it does not have."""
    return Arrivals(failed=tuple(FailedItem(index, "NotRegistered", f"'{task}'") for index in items))


def broker(*, queued: int = 0, nonce: str | None = NONCE, **held: int) -> BrokerFacts:
    """The queue's length and, by pod, what workers hold; pod names have no dashes here."""
    return BrokerFacts(nonce=nonce, epoch=1, queued=queued, unacked=held)


def pods(*names: str, **fields: Any) -> tuple[PodFacts, ...]:
    """Pods that are alike."""
    return tuple(PodFacts(name=name, **{"ready": True, **fields}) for name in names)


def workers(replicas: int, *, members: tuple[PodFacts, ...] = (), settled: bool = True, **fields: Any) -> WorkerFacts:
    """A Deployment whose pods are all ready."""
    return WorkerFacts(
        deployment=DeploymentFacts(replicas=replicas, ready=replicas, settled=settled), pods=members, **fields
    )


def observed(wanted: TaskGroupSpec | None = None, **fields: Any) -> Observed:
    """A new group whose broker answers; `spec=None` and `work=None` can be given for what cannot be read."""
    wanted = wanted or spec()
    base: dict[str, Any] = {
        "meta": Meta(uid="6f1c2e52", name=NAME, namespace="shop", generation=1),
        "spec": wanted,
        "work": work(wanted) if "work" not in fields else None,
        "broker": broker(nonce=None),
        "fresh_nonce": NONCE,
    }
    return Observed(**base | fields)


def running(wanted: TaskGroupSpec | None = None, books: Ledger | None = None, **fields: Any) -> Observed:
    """A group that started at NOW: its books are open, its workers run, nothing has happened since."""
    wanted = wanted or spec()
    first = observed(wanted)
    status = reconcile(first, NOW).status
    books = books or ledger(first.work.total if first.work else 0)
    base: dict[str, Any] = {"status": status, "ledger": books, "broker": broker(), "workers": workers(0)}
    return observed(wanted, **base | fields)


def after(seen: Observed, plan: Plan, **fields: Any) -> Observed:
    """The next look when nothing but the plan's status, books and pace came into effect."""
    effect: dict[str, Any] = {"status": plan.status, "ledger": plan.ledger, "pace": plan.pace, "arrivals": Arrivals()}
    return replace(seen, **effect | fields)


def look(seen: Observed, now: float = NOW, **fields: Any) -> Plan:
    """What is decided when this is seen, with these differences."""
    return reconcile(replace(seen, **fields), now)


def decided(seen: Observed, now: float = NOW) -> Observed:
    """The look after the outcome was written."""
    return after(seen, reconcile(seen, now))


def finished(seen: Observed, now: float = NOW) -> Observed:
    """The look after the end was written."""
    return decided(decided(seen, now), now)


def only(plan: Plan, kind: type[Action]) -> list[Any]:
    """The plan's actions of a kind."""
    return [action for action in plan.actions if isinstance(action, kind)]


def condition(status: TaskGroupStatus, kind: ConditionType) -> Condition:
    """The condition, which must be there."""
    found = find(status, kind)
    assert found is not None, f"{kind} was never written"
    return found


def said(status: TaskGroupStatus, kind: ConditionType) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = condition(status, kind)
    return found.status, found.reason
