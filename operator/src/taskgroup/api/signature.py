"""What to run for an item: a Celery task with arguments and options, or a chain of such."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, rules

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
HeaderValue = Annotated[str, Field(max_length=1024)]
TaskName = Annotated[str, Field(min_length=1, max_length=256)]
Arguments = Annotated[list[Any], Field(max_length=1024)]
MAX_CHAIN = 32
"""Most tasks of one chain."""
MAX_GROUP = 32
"""Most signatures of one group."""
SOFT_BELOW_HARD = "softTimeLimitSeconds must be smaller than timeLimitSeconds"
_ARGS = "Positional arguments; strings may hold placeholders such as $(item) and $(index)."
_KWARGS = "Keyword arguments; strings may hold placeholders such as $(item.path)."
_OPTIONS = "Celery options of the message."


class StepOptions(Model):
    """Celery's per-message options of a task in a chain: the API server cannot afford the rule of Options there."""

    time_limit_seconds: Seconds | None = Field(
        None, description="Hard limit of one run: the process is killed and the item fails with TimeLimitExceeded."
    )
    soft_time_limit_seconds: Seconds | None = Field(
        None, description="Soft limit of one run: the task gets SoftTimeLimitExceeded and may clean up."
    )
    priority: Annotated[int, Field(ge=0, le=9)] = Field(
        0, description="0 to 9, 9 the most urgent: items are dispatched by priority, then by index."
    )
    ignore_result: bool = Field(
        False, description="The value is not kept: the operator deletes it once the item is counted."
    )
    immutable: bool = Field(
        False,
        description="In a chain: the result of the task before is not put before the arguments, as .si() in Celery.",
    )
    expires_seconds: Seconds | None = Field(
        None, description="An item that no worker started this long after its dispatch fails with reason Expired."
    )
    countdown_seconds: Seconds | None = Field(
        None, description="Sent this long after its turn has come at the earliest; the operator holds it, not a worker."
    )
    headers: Annotated[dict[str, HeaderValue], Field(max_length=32)] | None = Field(
        None, description="Extra message headers, as in apply_async(headers=...)."
    )
    shadow: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="Name shown in the workers' logs and monitors instead of the task's."
    )


class Options(StepOptions):
    """Celery's per-message options of a signature."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.softTimeLimitSeconds) || !has(self.timeLimitSeconds)"
                " || self.softTimeLimitSeconds < self.timeLimitSeconds",
                SOFT_BELOW_HARD,
            ),
        )
    )


class Leaf(Model):
    """One task with its arguments."""

    task: TaskName = Field(description="Registered name of the task, for example images.resize.")
    args: Arguments | None = Field(None, description=_ARGS)
    kwargs: dict[str, Any] | None = Field(None, description=_KWARGS)
    options: StepOptions = Field(default_factory=StepOptions, description=_OPTIONS)

    def leaves(self) -> "tuple[Leaf, ...]":
        """As a chain of one."""
        return (self,)


class Signature(Model):
    """A task, or a chain of tasks."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["task"]}, {"required": ["chain"]}],
            **rules(
                (
                    "!has(self.chain) || (!has(dyn(self).args) && !has(self.kwargs) && !has(self.options))",
                    "args, kwargs and options belong to a task: give them to the tasks of the chain",
                ),
            ),
        }
    )

    task: TaskName | None = Field(
        None, description="Registered name of the task, for example images.resize; not beside chain."
    )
    args: Arguments | None = Field(None, description=_ARGS)
    kwargs: dict[str, Any] | None = Field(None, description=_KWARGS)
    options: Options = Field(default_factory=Options, description=_OPTIONS)
    chain: Annotated[list[Leaf], Field(min_length=1, max_length=MAX_CHAIN)] | None = Field(
        None,
        description=(
            "Tasks that run one after another; each gets the result of the one before as its first argument. The last"
            " one's result, and the failure of any, is that of the whole."
        ),
    )

    def leaves(self) -> tuple[Leaf, ...]:
        """The tasks to run for an item, in their order; ValueError when there are none."""
        if self.chain:
            return tuple(self.chain)
        if self.task is None:
            raise ValueError("Give a task, or a chain of tasks.")
        return (Leaf.model_construct(task=self.task, args=self.args, kwargs=self.kwargs, options=self.options),)


class Template(Signature):
    """What is run for each item: a task, a chain of tasks, or a group of such, each of which is an item of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [kind]} for kind in ("task", "chain", "group")],
            **rules(
                (
                    "(!has(self.chain) && !has(self.group))"
                    " || (!has(dyn(self).args) && !has(self.kwargs) && !has(self.options))",
                    "args, kwargs and options belong to a task: give them to the tasks of the chain or group",
                ),
            ),
        }
    )

    group: Annotated[list[Signature], Field(min_length=1, max_length=MAX_GROUP)] | None = Field(
        None,
        description=(
            "Tasks or chains that all run for each item. Each counts as an item of its own: the first item's have the"
            " first indexes, in the order of this list."
        ),
    )

    def members(self) -> tuple[Signature, ...]:
        """What is run for each item, one signature for each index that it takes."""
        return tuple(self.group) if self.group else (self,)

    def places(self) -> list[tuple[str, Signature]]:
        """The same with the path of each in the manifest."""
        if self.group is None:
            return [("spec.template", self)]
        return [(f"spec.template.group[{number}]", member) for number, member in enumerate(self.group)]


class Before(Signature):
    """What runs once, before all items."""

    prepend_result: bool = Field(
        False,
        description="Its result goes in front of the args of each item's first task, unless that is immutable.",
    )


class CallbackInput(StrEnum):
    """What a callback gets as its first argument."""

    RESULTS = "Results"
    SUMMARY = "Summary"
    NONE = "None"


class Callback(Signature):
    """What runs once, after all items have succeeded: the fan-in."""

    input: CallbackInput = Field(
        CallbackInput.RESULTS,
        description=(
            "First argument of the first task: Results, a list in the order of the items; Summary, an object with the"
            " counts; None, nothing. Results that are too long for a message come as a reference."
        ),
    )
