"""The ids of Celery's tasks: `<uid>.<index>`, `<uid>.<index>.<step>` for a later step of a chain, `<uid>.callback` for
what runs once for the group, `<uid>.<index>.onItemFailure` for what runs once for an item, and `~<n>` behind it for the
n-th counted new attempt.

This is the only place that knows the grammar; the Lua scripts get LUA_PATTERN and LUA_NUMBERS as arguments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from taskgroup.core.hooks import Hook, first_hooks, hook_of, hook_unit
from taskgroup.core.stages import Stage, first_units, stage_of, stage_unit, stage_units
from taskgroup.core.units import MAX_STEPS, STEP_SIZE, index_of, step_of, unit_of

LUA_PATTERN = "^([^.]+)%.(%w+)%.?(%w*)~?(%d*)$"
"""Captures uid, index or name of a stage, step or name of a hook, and attempt; an empty step or attempt is 0."""
LUA_NUMBERS = (STEP_SIZE, *(part for pair in (first_units() | first_hooks()).items() for part in pair))
"""Distance between two steps, then for each stage, and hook with a dot before it, the name and the first unit."""
_STEP = r"\.([1-9][0-9]?)"
_PLACES = rf"([0-9]{{1,8}})(?:{_STEP}|\.({'|'.join(Hook)}))?|({'|'.join(Stage)})(?:{_STEP})?"
_PATTERN = re.compile(rf"([^.]+)\.(?:{_PLACES})(?:~([1-9][0-9]{{0,9}}))?")


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
        uid, index, step, hook, stage, later, attempt = match.groups()
        unit = _stage_unit(stage, int(later or 0)) if stage else _item_unit(int(index), int(step or 0), hook)
        return None if unit is None else cls(uid, unit, int(attempt or 0))


def _stage_unit(stage: str, step: int) -> int | None:
    """Who writes ids into the broker may choose any numbers: no unit may be taken for another one."""
    unit = stage_unit(Stage(stage), step)
    return unit if unit in stage_units(Stage(stage)) else None


def _item_unit(index: int, step: int, hook: str | None) -> int | None:
    if index >= STEP_SIZE or step >= MAX_STEPS:
        return None
    return hook_unit(Hook(hook), index) if hook else unit_of(index, step)


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
        return f"{uid}.{index_of(unit)}.{hook_of(unit) or step_of(unit)}"
    return f"{uid}.{stage[0]}.{stage[1]}" if stage[1] else f"{uid}.{stage[0]}"
