"""What to run for an item: a Celery task with arguments and options."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, rules

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
HeaderValue = Annotated[str, Field(max_length=1024)]


class Options(Model):
    """Celery's per-message options of a signature."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.softTimeLimitSeconds) || !has(self.timeLimitSeconds)"
                " || self.softTimeLimitSeconds < self.timeLimitSeconds",
                "softTimeLimitSeconds must be smaller than timeLimitSeconds",
            ),
        )
    )

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
    expires_seconds: Seconds | None = Field(
        None, description="An item that no worker started this long after its dispatch fails with reason Expired."
    )
    headers: Annotated[dict[str, HeaderValue], Field(max_length=32)] | None = Field(
        None, description="Extra message headers, as in apply_async(headers=...)."
    )
    shadow: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="Name shown in the workers' logs and monitors instead of the task's."
    )


class Leaf(Model):
    """One task with its arguments; the schema of `template` and of each entry of `tasks`."""

    task: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="Registered name of the task, for example images.resize."
    )
    args: Annotated[list[Any], Field(max_length=1024)] | None = Field(
        None, description="Positional arguments; strings may hold placeholders such as $(item) and $(index)."
    )
    kwargs: dict[str, Any] | None = Field(
        None, description="Keyword arguments; strings may hold placeholders such as $(item.path)."
    )
    options: Options = Field(default_factory=Options, description="Celery options of the message.")
