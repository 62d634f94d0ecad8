"""The units of a group by their priority, which is the order of their dispatch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.hooks import Hook, hook_units
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.tasks import Chain, CompiledTask
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
Hooks = Mapping[Hook, CompiledTask]
"""What runs once for each item that has ended."""


def lanes_of_template(chains: list[Chain], entries: Indexes) -> tuple[Lane, ...]:
    """The items that have a message take these chains in turns; the most urgent lane first."""
    members = dict[int, BitMap]()
    for indexes, chain in _turns(chains, entries):
        for step, task in enumerate(chain):
            members.setdefault(task.leaf.options.priority, BitMap()).update(indexes.shift(unit_of(0, step)))
    return _lanes(members, entries)


def _turns(chains: list[Chain], entries: Indexes) -> Iterator[tuple[Indexes, Chain]]:
    """Each chain with the items that take it."""
    if len(chains) == 1:
        yield entries, chains[0]
        return
    end = entries.max() + 1 if entries else 0
    for number, chain in enumerate(chains):
        yield entries & FrozenBitMap(range(number, end, len(chains))), chain


def countdowns(chains: list[Chain], entries: Indexes) -> tuple[tuple[int, Indexes], ...]:
    """Seconds of countdown of first tasks, and the items that have them; the items take these chains in turns."""
    found = dict[int, BitMap]()
    if len(chains) == len(entries):
        for index, chain in enumerate(chains):
            if wait := chain[0].leaf.options.countdown_seconds:
                found.setdefault(wait, BitMap()).add(index)
    else:
        for indexes, chain in _turns(chains, entries):
            if wait := chain[0].leaf.options.countdown_seconds:
                found.setdefault(wait, BitMap()).update(indexes)
    return tuple((wait, FrozenBitMap(indexes)) for wait, indexes in found.items())


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
    """The last unit of each of these, which take the chains in turns."""
    if len(chains) == len(entries):
        return FrozenBitMap(BitMap([unit_of(index, len(chain) - 1) for index, chain in enumerate(chains)]))
    last = (indexes.shift(unit_of(0, len(chain) - 1)) for indexes, chain in _turns(chains, entries))
    return FrozenBitMap.union(NONE, *last)


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
    found = (
        indexes.shift(unit_of(0, step))
        for indexes, chain in _turns(chains, entries)
        for step, compiled in enumerate(chain)
        if compiled.leaf.task == task
    )
    return FrozenBitMap.union(NONE, *found)


def with_stages(lanes: tuple[Lane, ...], stages: Stages) -> tuple[Lane, ...]:
    """The lanes with the units of stages among the later steps; the most urgent one first."""
    for stage, chain in stages.items():
        for step, task in enumerate(chain):
            lanes = _with_later(lanes, task, Units([stage_unit(stage, step)]))
    return lanes


def with_hooks(lanes: tuple[Lane, ...], hooks: Hooks, entries: Indexes) -> tuple[Lane, ...]:
    """The lanes with the hooks of these items among the later steps; the most urgent one first."""
    for hook, task in hooks.items():
        lanes = _with_later(lanes, task, hook_units(hook, entries))
    return lanes


def _with_later(lanes: tuple[Lane, ...], task: CompiledTask, units: Units) -> tuple[Lane, ...]:
    priority, found = task.leaf.options.priority, {lane.priority: lane for lane in lanes}
    lane = found.get(priority) or Lane(priority, NONE)
    found[priority] = Lane(priority, lane.indexes, lane.later | units)
    return tuple(found[key] for key in sorted(found, reverse=True))


def running_in_hooks(hooks: Hooks, task: str, entries: Indexes) -> Units:
    """The units of hooks that run this task."""
    return Units.union(NONE, *(hook_units(hook, entries) for hook, one in hooks.items() if one.leaf.task == task))


def using_before(stages: Stages, hooks: Hooks, entries: Indexes) -> Units:
    """The units of stages and hooks that have the result of spec.before in their arguments."""
    own = (hook_units(hook, entries) for hook, one in hooks.items() if one.uses_before)
    steps = ((stage, step) for stage, chain in stages.items() for step, one in enumerate(chain) if one.uses_before)
    return Units.union(Units(stage_unit(stage, step) for stage, step in steps), *own)


def running_in_stages(stages: Stages, task: str) -> Units:
    """The units of stages that run this task."""
    return Units(
        stage_unit(stage, step)
        for stage, chain in stages.items()
        for step, compiled in enumerate(chain)
        if compiled.leaf.task == task
    )
