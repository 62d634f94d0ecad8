"""What a TaskGroup would dispatch: how many messages, how long, in which order, to how many workers."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskgroup.api.signature import Leaf, Signature
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.workers import Pool
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.core.groups.advice import Advice, advise, advise_on_size
from taskgroup.core.items.work import Work
from taskgroup.core.pools.pool_spec import grace_seconds
from taskgroup.core.pools.scaling import pods_for
from taskgroup.core.task_id import task_id
from taskgroup.core.units import ITEM_UNITS, STEP_SIZE, unit_of
from taskgroup.local.checking import Checked

UID = "<uid>"
_LIKE_UID = "0" * 36
"""As long as the uid will be."""
_MEASURED = 10_000
"""Most messages that are made to learn their lengths."""


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One message as it would be sent."""

    id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: Mapping[str, Any]
    """Those that the manifest sets."""
    after: str | None = None
    """Id of the step before in its chain."""
    takes_result: bool = False
    """The result of that step goes in front of the args."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of messages; results that later steps of chains take come on top."""

    average: int
    largest: int
    measured: int
    """So many messages were made for these figures, spread over all."""


@dataclass(frozen=True, slots=True)
class PlannedWorkers:
    """Worker pods when all items wait."""

    pods: int
    concurrency: int
    pool: Pool
    grace_seconds: int
    """What a stopped pod may take."""

    @property
    def slots(self) -> int:
        """Items at once."""
        return self.pods * self.concurrency


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of one TaskGroup."""

    name: str
    items: int
    messages: int
    chunk_size: int
    """Most items in one message."""
    priorities: Mapping[int, int]
    """Priority to its messages, the most urgent first."""
    sizes: Sizes
    workers: PlannedWorkers
    parallelism: int | None
    rate_limit: str | None
    deadline_seconds: int | None
    runs: int
    """How often the operator runs a task at most, without what its rules ignore."""
    before: tuple[str, ...]
    """Names of the tasks that run before all items."""
    finds_items: bool
    """Their result is the items: nobody knows yet how many there are."""
    callback: tuple[str, ...]
    """Names of the tasks that run once enough items have succeeded."""
    callback_when: str
    """How many are enough, in words."""
    on_failure: tuple[str, ...]
    """The same when the group has failed."""
    on_item_success: tuple[str, ...]
    """The same for each item that has succeeded."""
    on_item_failure: tuple[str, ...]
    """The same for each item that has failed."""
    first: tuple[PlannedMessage, ...] = field(repr=False)
    """In the order of their dispatch; the steps of a chain stand together."""
    warnings: tuple[Advice, ...] = ()


def preview(checked: Checked, messages: int) -> Preview:
    """The plan, with so many of the first messages."""
    spec, work = checked.spec, checked.work
    priorities = {lane.priority: len(lane.units & ITEM_UNITS) for lane in work.lanes}
    priorities = {priority: count for priority, count in priorities.items() if count}
    return Preview(
        name=checked.name,
        items=work.total,
        messages=sum(priorities.values()),
        chunk_size=work.chunks.size,
        priorities=priorities,
        sizes=_sizes(work, sum(priorities.values())),
        workers=_workers(spec, work),
        parallelism=spec.parallelism,
        rate_limit=spec.rate_limit,
        deadline_seconds=spec.active_deadline_seconds,
        runs=1 + (spec.retry_policy.limit if spec.retry_policy else 0),
        before=_names(spec.before),
        finds_items=work.awaits_items,
        callback=_names(spec.callback),
        callback_when=_enough(spec),
        on_failure=_names(spec.on_failure),
        on_item_success=_names(spec.on_item_success),
        on_item_failure=_names(spec.on_item_failure),
        first=tuple(_planned(work, unit) for unit in itertools.islice(_in_order(work), messages)),
        warnings=(*advise(spec, work), *advise_on_size(checked.object_bytes)),
    )


def _names(signature: Signature | Leaf | None) -> tuple[str, ...]:
    return tuple(leaf.task for leaf in signature.leaves()) if signature else ()


def _enough(spec: TaskGroupSpec) -> str:
    policy = spec.success_policy
    if policy is None:
        return "all items have succeeded"
    if policy.succeeded_count:
        return f"{policy.succeeded_count:,} items have succeeded"
    return f"{policy.succeeded_percent} % of the items have succeeded"


def _in_order(work: Work) -> Iterator[int]:
    """All units, those of an item together."""
    for lane in work.lanes:
        for index in lane.indexes:
            yield from (unit_of(index, step) for step in range(work.place(index)[1]))


def _planned(work: Work, unit: int) -> PlannedMessage:
    call = work.call(unit)
    return PlannedMessage(
        id=task_id(UID, unit),
        task=call.leaf.task,
        args=call.args,
        kwargs=call.kwargs,
        options=call.leaf.options.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        after=task_id(UID, unit - STEP_SIZE) if unit >= STEP_SIZE else None,
        takes_result=call.takes_result,
    )


def _sizes(work: Work, messages: int) -> Sizes:
    templates = dict[str, MessageTemplate]()
    lengths = [_length(work, unit, templates) for unit in _spread(work, messages)]
    return Sizes(sum(lengths) // max(len(lengths), 1), max(lengths, default=0), len(lengths))


def _spread(work: Work, messages: int) -> Iterator[int]:
    """The units of items at equal distances, the last one among them."""
    distance = max(1, -(-messages // _MEASURED))
    for index in sorted({*work.entries[::distance], *work.entries[-1:]}):
        yield from (unit_of(index, step) for step in range(work.place(index)[1]))


def _length(work: Work, unit: int, templates: dict[str, MessageTemplate]) -> int:
    call = work.call(unit)
    key = f"{call.leaf.task} {call.leaf.options!r}"
    if key not in templates:
        templates[key] = MessageTemplate(call.leaf, _LIKE_UID, f"taskgroup-{_LIKE_UID}")
    parent = task_id(_LIKE_UID, unit - STEP_SIZE) if unit >= STEP_SIZE else None
    return len(templates[key].render(unit, 0, call.args, call.kwargs, parent))


def _workers(spec: TaskGroupSpec, work: Work) -> PlannedWorkers:
    workers = spec.workers
    grace = workers.termination_grace_period_seconds or grace_seconds(work)
    pods = workers.max_replicas if work.awaits_items else pods_for(len(work.entries), workers)
    return PlannedWorkers(pods, workers.concurrency, workers.pool, grace)
