"""Everything that the workers of a pool are made of, besides how many there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskgroup.api.backend import Backend
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.workers import Workers
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.items.work import Work

POD_NAME = "$(POD_NAME)"
"""Stands for the pod's name in arguments of the worker."""
GRACE_SECONDS = 60
"""What a stopping worker gets for items without a time limit; longer ones are handed back."""
GRACE_MARGIN_SECONDS = 30
MAX_GRACE_SECONDS = 7_200
VISIBILITY_SECONDS = 2_592_000
"""30 days, so that Kombu does not redeliver: the operator requeues the items of an ended pod."""
RESULT_SECONDS = 7 * 86_400
"""Least life of a result value; a constant for most groups, because a change of it would roll the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """One pool: a group's own `workers`, later also a WorkerPool."""

    workers: Workers
    broker: Backend
    results: Backend
    queue: str
    """Name of the Celery queue."""
    unacked_options: Mapping[str, str]
    """Transport options that name the pod's own unacked keys, without the user's prefix; they hold POD_NAME."""
    grace_seconds: int
    """How long a stopped worker may finish what it runs."""
    backend_hash: str
    """Changes when the URL in a Secret does."""
    result_expires_seconds: int | None = None
    """Least time that results must stay; None leaves it to the app."""
    loss_limit: int = MAX_LOSSES
    """How many workers may die with an item."""


def loss_limit(spec: TaskGroupSpec | None) -> int:
    """How many workers may die with an item."""
    return spec.retry_policy.max_worker_losses if spec and spec.retry_policy else MAX_LOSSES


def grace_seconds(work: Work) -> int:
    """terminationGracePeriodSeconds: the longest hard limit and some time to stop."""
    limits = [leaf.options.time_limit_seconds for leaf in work.kinds]
    if not all(limits):
        return GRACE_SECONDS
    return min(max(limit or 0 for limit in limits) + GRACE_MARGIN_SECONDS, MAX_GRACE_SECONDS)


def result_seconds(spec: TaskGroupSpec) -> int:
    """Results live at least as long as the object can, so that no value is missing while the group exists."""
    known = (spec.active_deadline_seconds or 0) + (spec.ttl_seconds_after_finished or 0)
    return max(RESULT_SECONDS, known + 86_400)
