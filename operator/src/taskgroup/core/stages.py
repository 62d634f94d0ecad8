"""What runs once for a whole group, and not for each item: a stage, a task or a chain of tasks of its own.

The units of stages have numbers behind those of all items, so that books, sweep and recovery serve them, too.
"""

from enum import StrEnum

from pyroaring import FrozenBitMap

from taskgroup.core.units import MAX_STEPS, Units, step_of, unit_of


class Stage(StrEnum):
    """Named as the field of the spec; the name is a part of task ids."""

    CALLBACK = "callback"
    BEFORE = "before"
    ON_FAILURE = "onFailure"


_FIRST_STEP = {stage: MAX_STEPS * (number + 1) for number, stage in enumerate(Stage)}
"""A new stage comes last, so that the units of the others stay what books say they are."""
_STEPS = {Stage.CALLBACK: MAX_STEPS, Stage.BEFORE: MAX_STEPS, Stage.ON_FAILURE: 1}
"""How many steps each can have."""
_NUMBER = {stage: unit_of(0, step) for stage, step in _FIRST_STEP.items()}

STAGES_END = max(_FIRST_STEP[stage] + steps for stage, steps in _STEPS.items())
"""The first step behind those of stages."""
STAGE_UNITS: Units = FrozenBitMap(unit_of(0, step) for step in range(MAX_STEPS, STAGES_END))
"""All units that stages can have."""
FIRST_UNITS: Units = FrozenBitMap(_NUMBER.values())
"""Those with which stages begin."""


def stage_unit(stage: Stage, step: int = 0) -> int:
    """The unit of a stage's step, counted from 0."""
    return unit_of(0, _FIRST_STEP[stage] + step)


def stage_units(stage: Stage) -> Units:
    """All units that a stage can have."""
    return FrozenBitMap(stage_unit(stage, step) for step in range(_STEPS[stage]))


def stage_of(unit: int) -> tuple[Stage, int] | None:
    """Stage and step of a unit; None for a unit of an item."""
    if unit not in STAGE_UNITS:
        return None
    number, step = divmod(step_of(unit), MAX_STEPS)
    return list(Stage)[number - 1], step


def first_units() -> dict[str, int]:
    """Name of each stage to the number of its first unit."""
    return {str(stage): unit for stage, unit in _NUMBER.items()}
