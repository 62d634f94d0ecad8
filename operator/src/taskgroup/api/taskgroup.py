"""The TaskGroup object as a whole."""

from pydantic import ConfigDict, Field

from taskgroup.api.base import Model, rules
from taskgroup.api.names import NAME_MAX_LENGTH
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus

_FIXED = ("template", "matrix", "itemsFrom", "before", "callback", "onFailure", "onItemSuccess", "onItemFailure")
"""Fields of the spec that say what is run."""


def _fixed_once_started() -> tuple[str, str]:
    """One rule for all of these fields: the definition has to stay small."""
    same = " && ".join(
        f"has(self.spec.{field}) == has(oldSelf.spec.{field})"
        f" && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field})"
        for field in _FIXED
    )
    return (
        f"!has(oldSelf.status) || !has(oldSelf.status.startTime) || ({same})",
        f"{', '.join(_FIXED[:-1])} and {_FIXED[-1]} cannot change once the group has started: create a new TaskGroup"
        " instead",
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
            _fixed_once_started(),
        )
    )

    spec: TaskGroupSpec = Field(
        description="Exactly one of items, sequence, matrix and itemsFrom, with a template; or tasks, without."
    )
    status: TaskGroupStatus | None = Field(None, description="What the operator saw and decided.")
