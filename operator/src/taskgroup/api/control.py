"""What the owner of a running group may ask of it: how it ends when its time is up."""

from enum import StrEnum


class OnDeadline(StrEnum):
    """How a group ends whose time is up."""

    FAIL = "Fail"
    PARTIAL = "Partial"
