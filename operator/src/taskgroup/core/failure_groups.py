"""Failures put together by what they say: a million items may fail, and the books have room for some hundred kinds."""

from dataclasses import dataclass, replace

from taskgroup.core.completions import Failure
from taskgroup.core.indexes import Indexes


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed items with the same reason and message."""

    failure: Failure
    indexes: Indexes
    last_time: float
    """Seconds since the epoch."""


MAX_FAILURE_GROUPS = 100
"""Distinct failures kept apart; later ones are put together under the reason alone."""
MAX_REASONS = 200
"""Most failure groups at all: reasons are class names, of which an app can make any number."""
OTHER = Failure("Other", "(further reasons, put together because there are too many different ones)")
_FURTHER = "(further messages, put together because there are too many different ones)"


def is_collective(failure: Failure) -> bool:
    """Whether it stands for several that were put together, and says what none of them says."""
    return failure.message in (OTHER.message, _FURTHER)


def without(group: FailureGroup, indexes: Indexes) -> FailureGroup:
    """The group, less these items; it may be empty then."""
    return replace(group, indexes=group.indexes - indexes) if group.indexes.intersect(indexes) else group


def added(groups: tuple[FailureGroup, ...], new: FailureGroup) -> tuple[FailureGroup, ...]:
    """With the failure among the first of the forms below that has a group already, or still gets one."""
    rest = Failure(new.failure.reason, _FURTHER)
    for failure, limit in ((new.failure, MAX_FAILURE_GROUPS), (rest, MAX_REASONS)):
        added = _joined(groups, replace(new, failure=failure))
        if added is not None or len(groups) < limit:
            return added or (*groups, replace(new, failure=failure))
    other = replace(new, failure=OTHER)
    return _joined(groups, other) or (*groups, other)


def _joined(groups: tuple[FailureGroup, ...], new: FailureGroup) -> tuple[FailureGroup, ...] | None:
    """With `new` in the group of the same failure; None when there is none."""
    for position, group in enumerate(groups):
        if group.failure == new.failure:
            merged = replace(group, indexes=group.indexes | new.indexes, last_time=new.last_time)
            return (*groups[:position], merged, *groups[position + 1 :])
    return None
