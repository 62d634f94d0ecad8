"""What a spec allows and its owner may regret: each warning says what will happen and what to write instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from taskgroup.api.signature import StepOptions
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.items.work import Work
from taskgroup.core.pools.pool_spec import GRACE_MARGIN_SECONDS, GRACE_SECONDS, MAX_GRACE_SECONDS, VISIBILITY_SECONDS
from taskgroup.core.pools.scaling import pods_for
from taskgroup.core.units import ITEM_UNITS

MANY_ITEMS = 10_000
"""From here on what costs a millisecond each is worth a word."""
APPLY_BYTES = 262_144
"""`kubectl apply` keeps a copy of the object in an annotation, and annotations may have so many bytes."""
OBJECT_BYTES = 1_500_000
"""About what the API server stores of an object, status included."""


class AdviceReason(StrEnum):
    """What a warning is about, for programs."""

    NO_DEADLINE = "NoDeadline"
    DEADLINE_TOO_SHORT = "DeadlineTooShort"
    NO_HARD_LIMIT = "NoHardLimit"
    NO_TIME_LIMIT = "NoTimeLimit"
    LIMIT_TOO_LONG = "LimitTooLong"
    SLOTS_IDLE = "SlotsIdle"
    ITEMS_ALIKE = "ItemsAlike"
    MANY_MESSAGES = "ManyMessages"
    OBJECT_TOO_LARGE = "ObjectTooLarge"
    NEEDS_SERVER_SIDE_APPLY = "NeedsServerSideApply"


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning with its remedy."""

    reason: AdviceReason
    message: str


def advise(spec: TaskGroupSpec, work: Work) -> tuple[Advice, ...]:
    """All warnings about a spec that can be run."""
    return (
        *_deadline(spec, work),
        *_limits(spec, work),
        *_slots(spec, work),
        *_alike(spec, work),
        *_many(spec, work),
    )


def advise_on_size(object_bytes: int) -> tuple[Advice, ...]:
    """A warning about the whole object, by the length of its JSON."""
    if object_bytes > OBJECT_BYTES:
        text = (
            f"The object has {object_bytes:,} bytes, and the API server takes about {OBJECT_BYTES:,}: keep large data"
            " elsewhere and pass references, or make several groups."
        )
        return (Advice(AdviceReason.OBJECT_TOO_LARGE, text),)
    if object_bytes > APPLY_BYTES:
        text = (
            f"The object has {object_bytes:,} bytes: use kubectl create, or kubectl apply --server-side. Plain"
            f" kubectl apply keeps a copy in an annotation, which may have {APPLY_BYTES:,}."
        )
        return (Advice(AdviceReason.NEEDS_SERVER_SIDE_APPLY, text),)
    return ()


def _deadline(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    deadline = spec.active_deadline_seconds
    if deadline is None:
        text = "Nothing ends a group whose items hang or whose workers never start: set activeDeadlineSeconds."
        yield Advice(AdviceReason.NO_DEADLINE, text)
        return
    longest = max((_hard(leaf.options) for leaf in work.kinds), default=0)
    if deadline < longest:
        text = (
            f"activeDeadlineSeconds ({deadline}) is shorter than the longest timeLimitSeconds ({longest}): an item may"
            " be cut off before its own limit. Raise the deadline, or lower the limit."
        )
        yield Advice(AdviceReason.DEADLINE_TOO_SHORT, text)


def _limits(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    soft_only = [leaf.task for leaf in work.kinds if leaf.options.soft_time_limit_seconds and not _hard(leaf.options)]
    if soft_only:
        text = (
            f"{soft_only[0]} has a soft limit and no hard one: a task that catches SoftTimeLimitExceeded, or waits in C"
            " code, goes on. Set timeLimitSeconds, too."
        )
        yield Advice(AdviceReason.NO_HARD_LIMIT, text)
    unlimited = [leaf.task for leaf in work.kinds if not _hard(leaf.options)]
    if unlimited and spec.workers.termination_grace_period_seconds is None:
        text = (
            f"{unlimited[0]} has no timeLimitSeconds: what runs longer than {GRACE_SECONDS} s when its worker is"
            " stopped is killed and run again. Set the limit, or workers.terminationGracePeriodSeconds."
        )
        yield Advice(AdviceReason.NO_TIME_LIMIT, text)
    yield from _long_limits(spec, work)


def _hard(options: StepOptions) -> int:
    return options.time_limit_seconds or 0


def _long_limits(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    longest = max((_hard(leaf.options) for leaf in work.kinds), default=0)
    if longest > VISIBILITY_SECONDS:
        text = (
            f"timeLimitSeconds ({longest}) is longer than {VISIBILITY_SECONDS} s, after which Redis hands an item that"
            " still runs to a second worker: lower the limit."
        )
        yield Advice(AdviceReason.LIMIT_TOO_LONG, text)
    elif longest + GRACE_MARGIN_SECONDS > MAX_GRACE_SECONDS and spec.workers.termination_grace_period_seconds is None:
        text = (
            f"timeLimitSeconds ({longest}) is longer than a stopped worker may take ({MAX_GRACE_SECONDS} s): such an"
            " item is killed and run again. Set workers.terminationGracePeriodSeconds."
        )
        yield Advice(AdviceReason.LIMIT_TOO_LONG, text)


def _slots(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    workers = spec.workers
    slots = pods_for(len(work.entries), workers) * workers.concurrency
    wanted = min(slots, len(work.entries))
    if spec.parallelism is not None and spec.parallelism < wanted:
        text = (
            f"parallelism ({spec.parallelism}) keeps {wanted - spec.parallelism} of {wanted} slots idle: lower"
            " workers.maxReplicas or workers.concurrency, or raise parallelism."
        )
        yield Advice(AdviceReason.SLOTS_IDLE, text)


def _alike(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    if spec.template is not None and not work.placeholders and work.total >= MANY_ITEMS:
        text = (
            f"The template has no placeholder, so all {work.total:,} items make the same call: put $(item) or $(index)"
            " into its args or kwargs."
        )
        yield Advice(AdviceReason.ITEMS_ALIKE, text)


def _many(spec: TaskGroupSpec, work: Work) -> Iterator[Advice]:
    messages = len(work.units & ITEM_UNITS)
    if spec.template is not None and work.placeholders and messages >= MANY_ITEMS:
        text = (
            f"{messages:,} messages, and each costs about a millisecond of a worker: where tasks are that"
            " short, let one take a list, by $(items) and a larger chunkSize."
        )
        yield Advice(AdviceReason.MANY_MESSAGES, text)
