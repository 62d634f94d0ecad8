"""The TaskGroup object as a whole."""

from pydantic import Field

from taskgroup.api.base import Model
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus


class TaskGroup(Model):
    """A Celery group with an owner: its items, workers, progress and outcome."""

    spec: TaskGroupSpec = Field(description="What is wanted.")
    status: TaskGroupStatus | None = Field(None, description="What the operator saw and decided.")
