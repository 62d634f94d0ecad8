"""The spec of a TaskGroup: what is wanted."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from taskgroup.api.backend import Backend
from taskgroup.api.base import Model, rules
from taskgroup.api.control import OnDeadline, RateLimit, Retry, SuspendMode
from taskgroup.api.items_from import ItemsFrom
from taskgroup.api.matrix import Matrix
from taskgroup.api.policies import RetryPolicy, SuccessPolicy
from taskgroup.api.signature import SOFT_BELOW_HARD, Before, Callback, Leaf, Signature, Template
from taskgroup.api.workers import POOLS_BY_LIMIT, Workers

MAX_ITEMS = 100_000
"""Most inline items or tasks. The API server also limits an object to 1.5 MB."""
MAX_CHUNK = 10_000
"""Most items of one message."""
MAX_COUNT = 10_000_000
"""Most items that follow from few fields: those of a sequence or a matrix."""

_CHAIN = "(has(self.template) && has(self.template.chain))"


def _limited_to(option: str) -> str:
    """Return the rule that a time limit needs a pool that keeps it.

    Chains in `tasks` and groups are left to `check_limits`: a rule that walks all of them is refused for its cost.
    """
    pools, absent = list(map(str, POOLS_BY_LIMIT[option])), f".?options.?{option}.hasValue()"
    return (
        f"self.workers.pool in {pools} || (!self.?template{absent}"
        f" && (!{_CHAIN} || self.template.chain.all(task, !task{absent}))"
        f" && (!has(self.tasks) || self.tasks.all(task, !task{absent})))"
    )


class Sequence(Model):
    """The integers start, start + step, … (count of them)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.start == oldSelf.start && self.step == oldSelf.step && self.count >= oldSelf.count",
                "a sequence can only grow: keep start and step, and do not lower count",
            ),
        )
    )

    start: Annotated[int, Field(ge=-(2**53), le=2**53)] = Field(0, description="First integer.")
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = Field(description="How many items.")
    step: Annotated[int, Field(ge=-(2**31), le=2**31)] = Field(1, description="Difference of two neighbours.")


class OnUnknownTask(StrEnum):
    """What becomes of an item whose task is registered in no worker."""

    WAIT = "Wait"
    FAIL_ITEM = "FailItem"


class ChunkResult(StrEnum):
    """What the result of a task is that took several items."""

    FLATTEN = "Flatten"
    WHOLE = "Whole"


class TaskGroupSpec(Model):
    """N items of Celery work as one unit: give items, sequence, matrix or itemsFrom with a template, or tasks without.

    Exactly one of these five; kubectl says of none of them, or of two, only how many alternatives match.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [source]} for source in ("items", "sequence", "matrix", "itemsFrom", "tasks")],
            **rules(
                (
                    "has(self.template) != has(self.tasks)",
                    "items, sequence, matrix and itemsFrom need a template, and tasks must have none: each of them is a"
                    " signature itself",
                ),
                ("self.chunkSize == 1 || !has(self.tasks)", "chunkSize needs a template: tasks have one item each"),
                (
                    "self.chunkSize == oldSelf.chunkSize && self.chunkResult == oldSelf.chunkResult",
                    "chunkSize and chunkResult cannot change: create a new TaskGroup instead",
                ),
                (
                    "!has(self.tasks) || size(self.tasks) >= size(oldSelf.tasks)",
                    "tasks can only be appended to",
                ),
                ("self.cancel || !oldSelf.cancel", "cancel cannot be taken back"),
                (
                    _limited_to("timeLimitSeconds"),
                    "timeLimitSeconds needs workers.pool prefork or gevent: the other pools ignore it",
                ),
                (
                    _limited_to("softTimeLimitSeconds"),
                    "softTimeLimitSeconds needs workers.pool prefork: the other pools ignore it",
                ),
                (
                    f"!{_CHAIN} || self.template.chain.all(task, !has(task.options)"
                    " || !has(task.options.softTimeLimitSeconds) || !has(task.options.timeLimitSeconds)"
                    " || task.options.softTimeLimitSeconds < task.options.timeLimitSeconds)",
                    f"template.chain: {SOFT_BELOW_HARD}",
                ),
                (
                    "has(self.broker) == has(oldSelf.broker) && (!has(self.broker) || self.broker == oldSelf.broker)",
                    "broker cannot change: create a new TaskGroup instead",
                ),
                (
                    "has(self.resultBackend) == has(oldSelf.resultBackend)"
                    " && (!has(self.resultBackend) || self.resultBackend == oldSelf.resultBackend)",
                    "resultBackend cannot change: create a new TaskGroup instead",
                ),
                (
                    "has(self.sequence) == has(oldSelf.sequence) && has(self.matrix) == has(oldSelf.matrix)"
                    " && has(self.itemsFrom) == has(oldSelf.itemsFrom) && has(self.tasks) == has(oldSelf.tasks)",
                    "the source of items cannot change: create a new TaskGroup instead",
                ),
                (
                    "!has(self.itemsFrom) || !has(self.itemsFrom.before) || has(self.before)",
                    "itemsFrom.before needs spec.before, whose result is the list of items",
                ),
            ),
        }
    )

    items: Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)] | None = Field(
        None,
        description=(
            "JSON values of any type, one item each; not beside another source. Needs a template. Only appending is"
            " allowed later: the API server takes other changes, and the group halts until they are undone."
        ),
    )
    sequence: Sequence | None = Field(
        None, description="Integers as items; not beside another source. Needs a template. Only a larger count later."
    )
    matrix: Matrix | None = Field(
        None,
        description="Combinations as items; not beside another source. Needs a template. Fixed once the group started.",
    )
    items_from: ItemsFrom | None = Field(
        None, description="Where else the items are; not beside another source. Needs a template."
    )
    tasks: Annotated[list[Signature], Field(min_length=1, max_length=MAX_ITEMS)] | None = Field(
        None,
        description=(
            "One signature for each item, so that different tasks run in one group; not beside another source or"
            " a template. Append only."
        ),
    )
    template: Template | None = Field(
        None, description="What runs for every item, but for tasks. Fixed once the group has started."
    )
    before: Before | None = Field(
        None,
        description=(
            "A task or chain that runs once, before all items, which wait until it has succeeded; the group fails when"
            " it fails. Its result is $(before.result) in args and kwargs. Fixed once the group has started."
        ),
    )
    chunk_size: Annotated[int, Field(ge=1, le=MAX_CHUNK)] = Field(
        1, description="Items in one message, for a task that takes a list: the template has $(items)."
    )
    chunk_result: ChunkResult = Field(
        ChunkResult.FLATTEN,
        description="What a task returns that takes $(items): Flatten, a list with one result for each item;"
        " Whole, anything.",
    )
    callback: Callback | None = Field(
        None,
        description=(
            "A task or chain that runs once, when all items have succeeded, or as many as successPolicy asks for; the"
            " group is Complete when it has succeeded, too. Fixed once the group has started."
        ),
    )
    success_policy: SuccessPolicy | None = Field(
        None,
        description="Enough items have succeeded: the rest is cancelled, and the group is Complete. All when absent.",
    )
    success_when: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None,
        description="CEL over result and index, as result.sent == true: an item for which it is not true has failed.",
    )
    retry_policy: RetryPolicy | None = Field(
        None, description="When an item that failed is run again. Never, when absent."
    )
    max_failed_items: Annotated[int, Field(ge=0, le=10_000_000)] | None = Field(
        None, description="When more items have failed, the group fails at once; it forgives none of them."
    )
    on_failure: Leaf | None = Field(
        None,
        description=(
            "A task that runs once, when the group fails, and gets a summary as its first argument. Fixed once the"
            " group has started."
        ),
    )
    on_item_success: Leaf | None = Field(
        None,
        description=(
            "A task that runs once for each item that has succeeded, and gets its result as first argument. Fixed once"
            " the group has started."
        ),
    )
    on_item_failure: Leaf | None = Field(
        None,
        description=(
            "A task that runs once for each item that has failed, and gets its task id, its index and the error as"
            " first arguments. Fixed once the group has started."
        ),
    )
    parallelism: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Most items in flight at once; no bound when absent."
    )
    rate_limit: RateLimit | None = Field(
        None, description="Most items that start in any second, minute or hour, over all workers, such as 10/m."
    )
    active_deadline_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = Field(
        None, description="Longest running time, suspension not counted; no bound when absent."
    )
    on_deadline: OnDeadline = Field(
        OnDeadline.FAIL,
        description="How the group ends after activeDeadlineSeconds: Fail, or Partial (Complete with what there is)."
        " Either way the rest is cancelled.",
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=315_360_000)] | None = Field(
        None, description="The object is deleted this long after its end; it is kept when absent."
    )
    on_unknown_task: OnUnknownTask = Field(
        OnUnknownTask.WAIT,
        description="What becomes of items whose task no worker knows: Wait holds them back and tries one every 30 s;"
        " FailItem lets them fail. Items of other tasks go on.",
    )
    suspend: bool = Field(False, description="Take queued items back and stop the workers until false again.")
    suspend_mode: SuspendMode = Field(
        SuspendMode.DRAIN,
        description="While suspended: Drain lets running items finish, Stop ends them; they run again later.",
    )
    cancel: bool = Field(
        False, description="End the group as Failed, stop what runs, and keep the results. Cannot be taken back."
    )
    retry: Retry | None = Field(
        None, description="Run items again that failed or were cancelled, also when the group has ended."
    )
    failure_tracebacks: bool = Field(
        True, description="Show the end of a traceback, which holds lines of the code, with each kind of failure."
    )
    workers: Workers = Field(description="The pods that run the items.")
    broker: Backend | None = Field(None, description="Celery's broker. Default: the chart's Redis, where allowed.")
    result_backend: Backend | None = Field(None, description="Celery's result backend. Default: the broker.")
