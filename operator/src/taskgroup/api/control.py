"""What the owner of a running group may ask of it: its pace, what a suspension stops, and its end when time is up."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

RateLimit = Annotated[str, Field(max_length=16, pattern=r"^[1-9][0-9]{0,5}/[smh]$")]
"""Starts in a second, minute or hour."""


class SuspendMode(StrEnum):
    """What becomes of running items when a group is suspended."""

    DRAIN = "Drain"
    STOP = "Stop"


class OnDeadline(StrEnum):
    """How a group ends whose time is up."""

    FAIL = "Fail"
    PARTIAL = "Partial"
