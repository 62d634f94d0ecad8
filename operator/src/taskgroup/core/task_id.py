"""The ids of Celery's tasks: `<uid>.<index>`, `<uid>.<index>.<step>` for a later step of a chain, `<uid>.callback` for
what runs once for the group, and `~<n>` behind it for the n-th counted new attempt.

This is the only place that knows the grammar; the Lua scripts get LUA_PATTERN and LUA_NUMBERS as arguments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from taskgroup.core.stages import Stage, first_units, stage_of, stage_unit
from taskgroup.core.units import MAX_STEPS, STEP_SIZE, index_of, step_of, unit_of

LUA_PATTERN = "^([^.]+)%.(%w+)%.?(%d*)~?(%d*)$"
"""Captures uid, index or name of a stage, step and attempt; an empty step or attempt is 0."""
LUA_NUMBERS = (STEP_SIZE, *(part for pair in first_units().items() for part in pair))
"""Distance between two steps, then for each stage its name and its first unit."""
_STAGES = "|".join(Stage)
_PATTERN = re.compile(rf"([^.]+)\.(?:([0-9]{{1,8}})|({_STAGES}))(?:\.([1-9][0-9]?))?(?:~([1-9][0-9]{{0,9}}))?")


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """One attempt of one unit of the group `uid`."""

    uid: str
    unit: int
    attempt: int = 0

    def __str__(self) -> str:
        return task_id(self.uid, self.unit, self.attempt)

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """The inverse of `str`; None for the id of a task that is no unit of any group (a subtask, say)."""
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        uid, index, stage, step, attempt = match.groups()
        # Who writes ids into the broker may choose any numbers: no unit may be taken for another one.
        if int(index or 0) >= STEP_SIZE or int(step or 0) >= MAX_STEPS:
            return None
        unit = stage_unit(Stage(stage), int(step or 0)) if stage else unit_of(int(index), int(step or 0))
        return cls(uid, unit, int(attempt or 0))


def task_id(uid: str, unit: int, attempt: int = 0) -> str:
    """The text of a TaskId, for places that make thousands of them a second."""
    name = f"{uid}.{unit}" if unit < STEP_SIZE else _later(uid, unit)
    return f"{name}~{attempt}" if attempt else name


def newest_id(uid: str, unit: int, attempts: Mapping[int, int]) -> str:
    """The text of a unit's newest attempt; `attempts` has a number for each unit that has one."""
    return task_id(uid, unit, attempts.get(unit, 0))


def _later(uid: str, unit: int) -> str:
    stage = stage_of(unit)
    if stage is None:
        return f"{uid}.{index_of(unit)}.{step_of(unit)}"
    return f"{uid}.{stage[0]}.{stage[1]}" if stage[1] else f"{uid}.{stage[0]}"
