"""The ids of Celery's tasks: `<uid>.<index>`, and `<uid>.<index>~<n>` for the n-th counted new attempt.

This is the only place that knows the grammar; the Lua scripts get LUA_PATTERN as an argument.
"""

import re
from dataclasses import dataclass
from typing import Self

LUA_PATTERN = "^(.+)%.(%d+)~?(%d*)$"
"""Captures uid, index and attempt; an empty attempt is 0."""
_PATTERN = re.compile(r"(.+)\.([0-9]{1,10})(?:~([1-9][0-9]{0,9}))?", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """One attempt of one item of the group `uid`."""

    uid: str
    index: int
    attempt: int = 0

    def __str__(self) -> str:
        return task_id(self.uid, self.index, self.attempt)

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """The inverse of `str`; None for the id of a task that is no item (a subtask, say)."""
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        return cls(match[1], int(match[2]), int(match[3] or 0)) if match else None


def task_id(uid: str, index: int, attempt: int = 0) -> str:
    """The text of a TaskId, for places that make thousands of them a second."""
    return f"{uid}.{index}~{attempt}" if attempt else f"{uid}.{index}"
