"""Short ways to say what a test looks at: a spec, a ledger, a look at a group. What is not named does not matter there.

`support.pool_builders` does the same for a look at a pool of workers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pyroaring import FrozenBitMap

from support.compiled import compile_work
from taskgroup.api.names import ConditionType
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import Condition, TaskGroupStatus
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.exchange import View
from taskgroup.core.groups.accounting import NOT_REGISTERED
from taskgroup.core.groups.observed import GroupState, Observed, QueueState
from taskgroup.core.groups.plan import Plan
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.pools.plan import PoolPlan
from taskgroup.core.pools.scaling import pods_for
from taskgroup.core.status.conditions import find

NOW = 1_800_000_000.0
NONCE = "nonce"
NAME = "thumbnails"
UID = "6f1c2e52"
BAD = Failure("ValueError", "bad")
CONCURRENCY = 4


def indexes(*values: int | range) -> Indexes:
    """indexes(1, range(4, 6)) is {1, 4, 5}."""
    members = [value if isinstance(value, range) else range(value, value + 1) for value in values]
    return FrozenBitMap(index for part in members for index in part)


def spec(count: int = 10, **fields: Any) -> TaskGroupSpec:
    """A sequence of `count` integers, unless the fields name another source."""
    workers = {"image": "shop:1", "app": "shop.celery", "concurrency": CONCURRENCY, "maxReplicas": 10}
    base: dict[str, Any] = {"workers": workers | fields.pop("workers", {})}
    if not {"tasks", "template"} & fields.keys():
        base["template"] = {"task": "shop.send", "args": ["$(item)"]}
    if not {"items", "matrix", "itemsFrom", "tasks"} & fields.keys():
        base["sequence"] = {"count": count}
    return TaskGroupSpec.model_validate(base | fields)


def chain_spec(steps: int, count: int = 10, **fields: Any) -> TaskGroupSpec:
    """A sequence of `count` integers, each through so many tasks."""
    if steps == 1:
        return spec(count, **fields)
    return spec(count, template={"chain": [{"task": f"shop.step{step}"} for step in range(steps)]}, **fields)


def chunk_spec(size: int, steps: int = 1, count: int = 10, **fields: Any) -> TaskGroupSpec:
    """A sequence of `count` integers in chunks, each through so many tasks."""
    first = {"task": "shop.step0", "args": ["$(items)"]}
    chain = [first, *({"task": f"shop.step{step}"} for step in range(1, steps))]
    template = first if steps == 1 else {"chain": chain}
    return spec(count, **{"template": template, "chunkSize": size, **fields})


MIXED = spec(tasks=[{"task": "good"} for _ in range(10)] + [{"task": "bad"} for _ in range(10)])
"""Ten items of the task `good`, then ten of the task `bad`."""


def work(wanted: TaskGroupSpec | None = None) -> Work:
    """The spec's items, compiled."""
    return compile_work(wanted or spec(), NAME)


def ledger(
    total: int = 10,
    *,
    dispatched: int | Mapping[int, int] = 0,
    returned: Indexes = NONE,
    succeeded: Indexes = NONE,
    failed: Indexes = NONE,
    **fields: Any,
) -> Ledger:
    """A ledger in which the first `dispatched` items were dispatched; the failed ones failed with BAD."""
    cursors = dispatched if isinstance(dispatched, Mapping) else {0: dispatched}
    base = Ledger(
        total=total,
        nonce=NONCE,
        cursors=MappingProxyType(dict(cursors)),
        returned=returned,
        succeeded=succeeded,
        running_since=NOW,
    )
    return replace(base.failed_with(BAD, failed, NOW), **fields)


def completions(succeeded: Iterable[int] = (), failed: Iterable[int] = (), *, failure: Failure = BAD) -> Completions:
    """Ends of items; all failures are alike."""
    return Completions(FrozenBitMap(succeeded), dict.fromkeys(failed, failure))


def not_registered(*items: int, task: str = "shop.send") -> Completions:
    """What a worker answers to a message whose task it does not have."""
    return completions((), items, failure=Failure(NOT_REGISTERED, f"'{task}'"))


def state(nonce: str = NONCE, **fields: Any) -> GroupState:
    """The group's state in the broker."""
    return GroupState(nonce, **fields)


def queue(queued: int = 0, held: int = 0, *, nonce: str | None = NONCE) -> QueueState:
    """What the broker holds for a group; without a nonce it has no state of it."""
    return QueueState(state(nonce) if nonce else None, queued, held)


def view(wanted: int = 10, **fields: Any) -> View:
    """What a pool says whose pods are all ready; none of them holds anything."""
    base: dict[str, Any] = {"slots": wanted * CONCURRENCY, "wanted": wanted, "replicas": wanted, "ready": wanted}
    return View(**base | fields)


def meta(**fields: Any) -> Meta:
    """Whose decision it is."""
    base: dict[str, Any] = {"uid": UID, "name": NAME, "namespace": "shop", "generation": 1}
    return Meta(**base | fields)


def observed(wanted: TaskGroupSpec | None = None, **fields: Any) -> Observed:
    """A new group whose broker answers; `spec=None` and `work=None` can be given for what cannot be read."""
    wanted = wanted or spec()
    base: dict[str, Any] = {
        "meta": meta(),
        "spec": wanted,
        "work": work(wanted) if "work" not in fields else None,
        "queue": queue(nonce=None),
        "fresh_nonce": NONCE,
    }
    return Observed(**base | fields)


def running(wanted: TaskGroupSpec | None = None, books: Ledger | None = None, /, **fields: Any) -> Observed:
    """A group that started at NOW, suspended or not since: its state is open, its workers run, nothing has ended."""
    wanted = wanted or spec()
    first = observed(wanted.model_copy(update={"suspend": False, "cancel": False}))
    status = reconcile(first, NOW).status
    books = fields.get("ledger", books) or ledger(first.work.total if first.work else 0)
    pods = 0 if wanted.suspend else pods_for(books.unfinished, wanted.workers)
    base: dict[str, Any] = {"status": status, "ledger": books, "queue": queue(), "view": view(pods)}
    return observed(wanted, **base | fields)


def after(seen: Observed, plan: Plan, **fields: Any) -> Observed:
    """The next look when nothing but the plan's status, its ledger and what it carries came into effect."""
    effect: dict[str, Any] = {"status": plan.status, "ledger": plan.ledger, "carried": plan.carried}
    effect["completions"] = seen.completions.minus(plan.counted)
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


def only(plan: Plan | PoolPlan, kind: type[Action]) -> list[Any]:
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
