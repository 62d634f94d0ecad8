"""What must hold in the world at every look and at every write of the status."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from taskgroup.api.names import State
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.figures import GroupFigures
from taskgroup.core.groups.item_hooks import STATUS_FIELDS
from taskgroup.core.groups.plan import Again, Dispatch, MarkMissing, Plan, Redispatch
from taskgroup.core.indexes import parse_indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import seconds
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import ITEM_UNITS, Units, items_of

if TYPE_CHECKING:
    from support.world import World

BEHIND_SECONDS = 2.0
"""How old a status may be that is not what was decided."""


def check_plan(world: "World", plan: Plan) -> None:
    """The figures add up, the status is young, and nothing is missing that is there."""
    world.actions.extend(plan.actions)
    _check_missing(world, plan)
    _check_early(world, plan)
    status, memory = plan.status, world.operator.following.memory
    parts = (status.pending, status.active, status.retrying, status.succeeded, status.failed, status.cancelled)
    if sum(part or 0 for part in parts) != (status.total or 0):
        world.flaws.append(f"{parts} are not {status.total}")
    if memory is None:
        return
    _check_counted(world, plan, memory.record.ledger)
    age = world.now - memory.record.status_written
    if plan.status != world.status and age >= BEHIND_SECONDS and memory.record.carried == plan.carried:
        world.flaws.append(f"the status is {age} s old, and not what was decided")
    if plan.extra_events and age >= BEHIND_SECONDS and memory.record.extra_events:
        world.flaws.append(f"{memory.record.extra_events} were not posted")


def _sent(plan: Plan) -> Iterator[Units]:
    """What each action puts on the queue."""
    for action in plan.actions:
        if isinstance(action, Dispatch):
            yield action.indexes
        elif isinstance(action, Redispatch):
            yield action.units


def _check_counted(world: "World", plan: Plan, ledger: Ledger) -> None:
    """What this operator has counted is never sent again, whatever became of the books."""
    counted = world.operator.counted
    for opened in (action for action in plan.actions if isinstance(action, Again)):
        counted -= opened.items
    for sent in _sent(plan):
        if again := counted & items_of(sent & ITEM_UNITS):
            world.flaws.append(f"{set(again)} had been counted and are sent again")
        if passed := ledger.passed & sent:
            world.flaws.append(f"{set(passed)} had succeeded and are sent again")
    if gone := counted - ledger.ended:
        world.flaws.append(f"{set(gone)} had been counted")
    counted |= ledger.succeeded | ledger.failed


def _check_early(world: "World", plan: Plan) -> None:
    """The first task of an item is not sent before its countdown, which begins with the group, is over."""
    start = world.status.start_time
    for sent in _sent(plan):
        for unit in items_of(sent & ITEM_UNITS) & sent:
            wait = world.work.leaf(unit).options.countdown_seconds
            if wait and (start is None or world.now < seconds(start) + wait):
                world.flaws.append(f"{unit} is sent too early")


def _check_missing(world: "World", plan: Plan) -> None:
    there = {message.item for message in (*world.queue, *world.in_hands())}
    for action in plan.actions:
        if isinstance(action, MarkMissing):
            found = {item.unit for item in there if item and world.books.is_newest(item)} & set(action.units)
            world.flaws += [f"{unit} is not missing" for unit in found]


def _check_successes(world: "World", status: TaskGroupStatus) -> None:
    """Those that can be read when the outcome is written, unless the group was cut short; later ones change nothing.

    Neither does one that followed a failure under the same id: that may have been counted before.
    """
    is_whole = (status.succeeded or 0) + (status.failed or 0) == status.total
    if not is_whole or world.spec.success_when or status.completed_indexes is None:
        return
    results = world.results
    well = (TaskId.parse(name) for name, end in results.ends.items() if end is None and results.all_ends[name][0])
    newest = Units(item.unit for item in well if item and world.books.is_newest(item))
    if uncounted := items_of(newest & world.work.last) - parse_indexes(status.completed_indexes):
        world.flaws.append(f"{set(uncounted)} succeeded, and are not counted")


def check_told(world: "World", figures: GroupFigures) -> None:
    """Metrics speak of a status that is written."""
    status = world.store.status
    written = (status.state, status.active, status.succeeded, status.failed, status.cancelled)
    told = (figures.state, figures.active, figures.succeeded, figures.failed, figures.cancelled)
    if told != (written[0] or State.PENDING, *(count or 0 for count in written[1:])):
        world.flaws.append("the metrics were told what is not written")


def check_status(world: "World", old: TaskGroupStatus, new: TaskGroupStatus) -> None:
    """A phase never goes back, nor does a count, unless items are run again; an outcome knows every success."""
    if phase_of(old).value < Phase.DECIDED.value <= phase_of(new).value:
        _check_successes(world, new)
    if new.last_retry_id != old.last_retry_id:
        return
    if phase_of(new).value < phase_of(old).value:
        world.flaws.append(f"from {phase_of(old)} back to {phase_of(new)}")
    for name in STATUS_FIELDS.values():
        known, shown = getattr(old, name), getattr(new, name)
        if known is not None and (shown is None or shown.succeeded + shown.failed < known.succeeded + known.failed):
            world.flaws.append(f"{name} from {known} back to {shown}")
    before, after = ((status.succeeded or 0) + (status.failed or 0) for status in (old, new))
    if (new.succeeded or 0) < (old.succeeded or 0) or after < before:
        world.flaws.append(f"from {old.succeeded} and {old.failed} ends back to {new.succeeded} and {new.failed}")
