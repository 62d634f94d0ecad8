"""What must hold in the world at every look and at every write of the status."""

from typing import TYPE_CHECKING

from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.plan import MarkMissing, Plan
from taskgroup.core.status.phase import phase_of

if TYPE_CHECKING:
    from support.world import World

BEHIND_SECONDS = 2.0
"""How old a status may be that is not what was decided."""


def check_plan(world: "World", plan: Plan) -> None:
    """The figures add up, the status is young, and nothing is missing that is there."""
    world.actions.extend(plan.actions)
    _check_missing(world, plan)
    status, memory = plan.status, world.operator.following.memory
    parts = (status.pending, status.active, status.succeeded, status.failed, status.cancelled)
    if sum(part or 0 for part in parts) != (status.total or 0):
        world.flaws.append(f"{parts} are not {status.total}")
    if memory is None:
        return
    age = world.now - memory.record.status_written
    if plan.status != world.status and age >= BEHIND_SECONDS and memory.record.carried == plan.carried:
        world.flaws.append(f"the status is {age} s old, and not what was decided")
    if plan.extra_events and age >= BEHIND_SECONDS and memory.record.extra_events:
        world.flaws.append(f"{memory.record.extra_events} were not posted")


def _check_missing(world: "World", plan: Plan) -> None:
    there = {message.item for message in (*world.queue, *world.in_hands())}
    for action in plan.actions:
        if isinstance(action, MarkMissing):
            found = {item.index for item in there if item and world.books.is_newest(item)} & set(action.indexes)
            world.flaws += [f"{index} is not missing" for index in found]


def check_status(world: "World", old: TaskGroupStatus, new: TaskGroupStatus) -> None:
    """A phase never goes back, nor does a count."""
    if phase_of(new).value < phase_of(old).value:
        world.flaws.append(f"from {phase_of(old)} back to {phase_of(new)}")
    if (new.succeeded or 0) < (old.succeeded or 0) and world.store.ledger is not None:
        world.flaws.append(f"succeeded fell from {old.succeeded} to {new.succeeded}")
