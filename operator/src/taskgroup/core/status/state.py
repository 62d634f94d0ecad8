"""One word for the whole group: `status.state`."""

from taskgroup.api.names import State
from taskgroup.core.groups.observed import Observed
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import StatusInput


def state_of(seen: Observed, shown: StatusInput, *, suspended: bool) -> State:
    """Pending until a worker has run: a group whose image cannot be pulled has started, but nothing runs."""
    if shown.phase is Phase.FINISHED:
        return State.COMPLETE if shown.verdict and shown.verdict.success else State.FAILED
    if suspended:
        return State.SUSPENDED
    return State.RUNNING if shown.phase is not Phase.NEW and has_run(seen, shown) else State.PENDING


def has_run(seen: Observed, shown: StatusInput) -> bool:
    """Whether a worker has run for the group, as far as the last status, the books and the pool tell it."""
    if seen.status.state is State.RUNNING or shown.ledger.ended:
        return True
    return seen.view is not None and bool(seen.view.ready or seen.view.busy)
