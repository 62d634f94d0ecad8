"""The ids of Celery's tasks: `<uid>.<index>`, `<uid>.<index>.<step>` for a later step of a chain, and `~<n>` behind it
for the n-th counted new attempt.

This is the only place that knows the grammar; the Lua scripts get LUA_PATTERN as an argument.
"""

import re
from dataclasses import dataclass
from typing import Self

from taskgroup.core.units import MAX_STEPS, STEP_SIZE, index_of, step_of, unit_of

LUA_PATTERN = "^([^.]+)%.(%d+)%.?(%d*)~?(%d*)$"
"""Captures uid, index, step and attempt; an empty step or attempt is 0."""
_PATTERN = re.compile(r"([^.]+)\.([0-9]{1,8})(?:\.([1-9][0-9]?))?(?:~([1-9][0-9]{0,9}))?")


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
        index, step = int(match[2]), int(match[3] or 0)
        # Who writes ids into the broker may choose any numbers: no unit may be taken for another one.
        if index >= STEP_SIZE or step >= MAX_STEPS:
            return None
        return cls(match[1], unit_of(index, step), int(match[4] or 0))


def task_id(uid: str, unit: int, attempt: int = 0) -> str:
    """The text of a TaskId, for places that make thousands of them a second."""
    name = f"{uid}.{unit}" if unit < STEP_SIZE else f"{uid}.{index_of(unit)}.{step_of(unit)}"
    return f"{name}~{attempt}" if attempt else name
