"""Where the loop of a group and the loop of its pool meet: each leaves one value here, and wakes the other."""

from collections.abc import Sequence
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
        self.rests = False
        """The group has told that until something changes the pool has nothing to look at."""
        self.seen: Sequence[object] = ()
        """The object's metadata when the group was last woken for it."""
        self.strays_changed = False
        """Pods that nobody lists any more were found by what they left; unset when the pool has read their names."""
        self.gone = False
        """The object does not exist any more, though nobody told: both loops end."""

    def tell(self, assignment: Assignment) -> None:
        """From the group. Without a demand the pool keeps the one that it has."""
        before = self.assignment
        if before is not None and assignment.demand is None:
            assignment = replace(assignment, demand=before.demand)
        self.assignment, self.rests = assignment, False
        if before is None or _needs_a_look(before, assignment):
            self.pool.wake()

    def show(self, view: View) -> None:
        """From the pool. It is not current while something has changed that the pool has not read."""
        view = replace(view, current=view.current and not self.workers_changed)
        if view != self.view:
            self.view = view
            self.group.wake()

    def rest(self) -> None:
        """From the group: until something changes the pool has nothing to look at."""
        self.assignment, self.rests = None, True
        self.pool.wake()

    def end(self) -> None:
        """The object is gone."""
        self.gone = True
        self.wake_both()

    def wake_both(self) -> None:
        """Let both loops look."""
        self.group.wake()
        self.pool.wake()

    def change_workers(self) -> None:
        """From the watch. The group learns at once that there may be pods that it does not know of."""
        self.workers_changed = True
        if self.view is not None:
            self.view = replace(self.view, current=False)
        if self.rests:
            # The pool has to be told first what it is.
            self.group.wake()
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

    def change_workers(self, namespace: str, uid: str) -> None:
        """From the watch. A label is not to be trusted: pods of another namespace are none of the group's."""
        meeting = self._meetings.get(uid)
        if meeting is None or (meeting.assignment and meeting.assignment.meta.namespace != namespace):
            return
        meeting.change_workers()

    def uids(self) -> frozenset[str]:
        """Of all groups that have one."""
        return frozenset(self._meetings)

    def drop(self, uid: str) -> None:
        """The group is gone."""
        self._meetings.pop(uid, None)
