"""What is wrong, as the owner of a TaskGroup reads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something outside that stops a group or its workers, with one sentence that says what to change."""

    reason: str
    message: str
