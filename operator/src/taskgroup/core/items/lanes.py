"""The units of a group by their priority, which is the order of their dispatch."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.tasks import Chain
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.units import Units, unit_of


@dataclass(frozen=True, slots=True)
class Lane:
    """What has one priority."""

    priority: int
    indexes: Indexes
    """Items whose first task has it, in the order of their dispatch."""
    later: Units = NONE
    """Later steps that have it."""

    @property
    def units(self) -> Units:
        """All of it."""
        return self.indexes | self.later if self.later else self.indexes


Stages = Mapping[Stage, Chain]
"""What runs once for the group."""


def lanes_of_template(chain: Chain, entries: Indexes) -> tuple[Lane, ...]:
    """All items have the same chain, and these have a message; the most urgent lane first."""
    members = dict[int, BitMap]()
    for step, task in enumerate(chain):
        members.setdefault(task.leaf.options.priority, BitMap()).update(entries.shift(unit_of(0, step)))
    return _lanes(members, entries)


def lanes_of_tasks(chains: list[Chain]) -> tuple[Lane, ...]:
    """Each item has its own chain."""
    members: dict[int, BitMap] = {}
    for index, chain in enumerate(chains):
        for step, task in enumerate(chain):
            members.setdefault(task.leaf.options.priority, BitMap()).add(unit_of(index, step))
    return _lanes(members, full(len(chains)))


def _lanes(members: dict[int, BitMap], entries: Indexes) -> tuple[Lane, ...]:
    units = {priority: FrozenBitMap(members[priority]) for priority in sorted(members, reverse=True)}
    return tuple(Lane(priority, found & entries, found - entries) for priority, found in units.items())


def last_units(chains: list[Chain], entries: Indexes) -> Units:
    """The last unit of each of these; `chains` has one for all, or one for each."""
    if len(chains) == len(entries):
        return FrozenBitMap(BitMap([unit_of(index, len(chain) - 1) for index, chain in enumerate(chains)]))
    return entries.shift(unit_of(0, len(chains[0]) - 1))


def running(chains: list[Chain], task: str, entries: Indexes) -> Units:
    """The units that run this task; `chains` as above."""
    if len(chains) == len(entries):
        own = (
            unit_of(index, step)
            for index, chain in enumerate(chains)
            for step, compiled in enumerate(chain)
            if compiled.leaf.task == task
        )
        return FrozenBitMap(own)
    steps = (step for step, compiled in enumerate(chains[0]) if compiled.leaf.task == task)
    return FrozenBitMap.union(NONE, *(entries.shift(unit_of(0, step)) for step in steps))


def with_stages(lanes: tuple[Lane, ...], stages: Stages) -> tuple[Lane, ...]:
    """The lanes with the units of stages among the later steps; the most urgent one first."""
    found = {lane.priority: lane for lane in lanes}
    for stage, chain in stages.items():
        for step, task in enumerate(chain):
            lane = found.get(task.leaf.options.priority) or Lane(task.leaf.options.priority, NONE)
            unit = Units([stage_unit(stage, step)])
            found[lane.priority] = Lane(lane.priority, lane.indexes, lane.later | unit)
    return tuple(found[priority] for priority in sorted(found, reverse=True))


def running_in_stages(stages: Stages, task: str) -> Units:
    """The units of stages that run this task."""
    return Units(
        stage_unit(stage, step)
        for stage, chain in stages.items()
        for step, compiled in enumerate(chain)
        if compiled.leaf.task == task
    )
