"""The TaskGroup object as a whole."""

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, rules
from taskgroup.api.names import NAME_MAX_LENGTH
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus


def _fixed_once_started(field: str) -> tuple[str, str]:
    """The rule about a field of the spec; that none comes or goes is said by rules of the spec."""
    return (
        "!has(oldSelf.status) || !has(oldSelf.status.startTime)"
        f" || !has(self.spec.{field}) || !has(oldSelf.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}",
        f"spec.{field} cannot change once the group has started: create a new TaskGroup instead",
    )


class TaskGroup(Model):
    """A Celery group with an owner: its items, workers, progress and outcome."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"size(self.metadata.name) <= {NAME_MAX_LENGTH}",
                f"the name must have at most {NAME_MAX_LENGTH} characters",
            ),
            ("!self.metadata.name.contains('.')", "the name must not contain dots"),
            _fixed_once_started("template"),
            _fixed_once_started("callback"),
            (
                "!has(oldSelf.status) || !has(oldSelf.status.startTime)"
                " || has(self.spec.callback) == has(oldSelf.spec.callback)",
                "spec.callback cannot come or go once the group has started: create a new TaskGroup instead",
            ),
            _fixed_once_started("matrix"),
        )
    )

    spec: TaskGroupSpec = Field(description="What is wanted.")
    status: TaskGroupStatus | None = Field(None, description="What the operator saw and decided.")
