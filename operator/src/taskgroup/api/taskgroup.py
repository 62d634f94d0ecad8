"""The TaskGroup object as a whole."""

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, rules
from taskgroup.api.names import NAME_MAX_LENGTH
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus


class TaskGroup(Model):
    """A Celery group with an owner: its items, workers, progress and outcome."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"size(self.metadata.name) <= {NAME_MAX_LENGTH}",
                f"the name must have at most {NAME_MAX_LENGTH} characters",
            ),
            ("!self.metadata.name.contains('.')", "the name must not contain dots"),
            (
                "!has(oldSelf.status) || !has(oldSelf.status.startTime) || !has(self.spec.template)"
                " || self.spec.template == oldSelf.spec.template",
                "spec.template cannot change once the group has started: create a new TaskGroup instead",
            ),
            (
                "!has(oldSelf.status) || !has(oldSelf.status.startTime)"
                " || (has(self.spec.callback) == has(oldSelf.spec.callback)"
                " && (!has(self.spec.callback) || self.spec.callback == oldSelf.spec.callback))",
                "spec.callback cannot change once the group has started: create a new TaskGroup instead",
            ),
        )
    )

    spec: TaskGroupSpec = Field(description="What is wanted.")
    status: TaskGroupStatus | None = Field(None, description="What the operator saw and decided.")
