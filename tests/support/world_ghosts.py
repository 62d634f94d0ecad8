"""Tasks that go on although nobody waits for them: their message was taken away, given to another worker or replaced.

What such a task stores in the end stands under its old id, which may still be the newest one of its unit.
"""

from support.world import World
from taskgroup.core.completions import Failure
from taskgroup.core.indexes import NONE, parse_indexes
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import index_of

LATE = Failure("ValueError", "late", kind="ValueError")


def end_late(world: World, number: int) -> None:
    """One of them ends, well or badly; after the end of the group it would change nothing."""
    ghosts = _ghosts(world)
    if not ghosts or phase_of(world.status) is not Phase.RUNNING:
        return
    item = ghosts[number % len(ghosts)]
    if not world.books.is_newest(item):
        world.broker.stale.add(str(item))
    world.results.store(str(item), LATE if number % 3 == 0 else None)


def stale_successes(world: World) -> set[int]:
    """Items that count as succeeded, although no attempt of their last unit ended well while it was the newest one."""
    good = parse_indexes(world.status.completed_indexes or "")
    well = (name for name, ends in world.results.all_ends.items() if any(ends) and name not in world.broker.stale)
    ended = {item.unit for item in map(TaskId.parse, well) if item is not None}
    return {index_of(unit) for unit in world.work.last_in_order() if unit not in ended} & set(good)


def _ghosts(world: World) -> list[TaskId]:
    """Tasks that began, have no end and are in no worker's hands.

    Nobody reads the newest attempt of an item that was given up.
    """
    held = {message.id for message in world.in_hands()}
    memory = world.operator.following.memory
    over = memory.record.ledger.ended if memory else NONE
    begun = [name for name in world.broker.begun if name not in held and name not in world.results.all_ends]
    ids = [item for name in begun if (item := TaskId.parse(name)) is not None]
    return [one for one in ids if not world.books.is_newest(one) or index_of(one.unit) not in over]
