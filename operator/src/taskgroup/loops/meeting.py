"""Where the loop of a group and the loop of its pool meet: each leaves one value here, and wakes the other."""

from dataclasses import dataclass, replace

from taskgroup.connections.shared import Address
from taskgroup.core.exchange import Demand, View
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec
from taskgroup.core.pools.scaling import changes_pods
from taskgroup.loops.wakeups import Wakeup


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a pool is told to be."""

    meta: Meta
    """The object that owns the Deployment."""
    spec: PoolSpec | None
    """None while it cannot be described: a Secret is missing, say."""
    address: Address | None
    demand: Demand | None
    """None while the group has not said what it needs: the pool only looks."""


class Meeting:
    """One group and the pool that runs its items. `assignment` is written by the group's loop, `view` by the pool's."""

    def __init__(self) -> None:
        self.group = Wakeup()
        self.pool = Wakeup()
        self.assignment: Assignment | None = None
        self.view: View | None = None
        self.workers_changed = True
        """A worker pod or the Deployment changed; set by the watch, and unset when the pool begins to read them."""

    def tell(self, assignment: Assignment) -> None:
        """From the group. Without a demand the pool keeps the one that it has."""
        before = self.assignment
        if before is not None and assignment.demand is None:
            assignment = replace(assignment, demand=before.demand)
        self.assignment = assignment
        if before is None or _needs_a_look(before, assignment):
            self.pool.wake()

    def show(self, view: View) -> None:
        """From the pool. It is not current while something has changed that the pool has not read."""
        view = replace(view, current=view.current and not self.workers_changed)
        if view != self.view:
            self.view = view
            self.group.wake()

    def change_workers(self) -> None:
        """From the watch. The group learns at once that there may be pods that it does not know of."""
        self.workers_changed = True
        if self.view is not None:
            self.view = replace(self.view, current=False)
        self.pool.wake()


def _needs_a_look(before: Assignment, after: Assignment) -> bool:
    if replace(before, demand=None) != replace(after, demand=None):
        return True
    if after.demand is None:
        return False
    return changes_pods(before.demand, after.demand, after.spec.workers if after.spec else None)


class Meetings:
    """The meetings of all groups, by uid."""

    def __init__(self) -> None:
        self._meetings: dict[str, Meeting] = {}

    def of(self, uid: str) -> Meeting:
        """The meeting of a group."""
        return self._meetings.setdefault(uid, Meeting())

    def find(self, uid: str) -> Meeting | None:
        """The meeting of a group that has one."""
        return self._meetings.get(uid)

    def drop(self, uid: str) -> None:
        """The group is gone."""
        self._meetings.pop(uid, None)
