"""What the owner of a running group may ask of it: what a suspension stops, and how it ends when its time is up."""

from enum import StrEnum


class SuspendMode(StrEnum):
    """What becomes of running items when a group is suspended."""

    DRAIN = "Drain"
    STOP = "Stop"


class OnDeadline(StrEnum):
    """How a group ends whose time is up."""

    FAIL = "Fail"
    PARTIAL = "Partial"
