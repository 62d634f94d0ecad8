"""Time limits that the workers' pool would ignore, where the API server cannot afford to look for them."""

from taskgroup.api.signature import SOFT_BELOW_HARD, Leaf
from taskgroup.api.workers import POOLS_BY_LIMIT, Pool
from taskgroup.core.errors import InvalidSpecError


def check_limits(leaf: Leaf, pool: Pool) -> None:
    """InvalidSpecError when the task has a limit that this pool does not keep, or two that cannot both be kept."""
    hard, soft = leaf.options.time_limit_seconds, leaf.options.soft_time_limit_seconds
    if hard is not None and soft is not None and soft >= hard:
        raise InvalidSpecError(f"options of task {leaf.task}: {SOFT_BELOW_HARD}.")
    limits = {"timeLimitSeconds": hard, "softTimeLimitSeconds": soft}
    for name, seconds in limits.items():
        if seconds is not None and pool not in POOLS_BY_LIMIT[name]:
            raise InvalidSpecError(
                f"{name} of task {leaf.task} needs workers.pool {' or '.join(POOLS_BY_LIMIT[name])}: {pool} ignores it."
            )
