"""What the owner of a running group may ask of it: its pace, what a suspension stops, and its end when time is up."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from taskgroup.api.base import Model

RateLimit = Annotated[str, Field(max_length=8, pattern=r"^[1-9][0-9]*/[smh]$")]
"""Starts in a second, minute or hour."""
INDEXES = r"^(failed|[0-9][-,0-9]*)$"


class Retry(Model):
    """Items that shall run again; acted on once for each id."""

    id: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Any text that was not used before.")
    indexes: Annotated[str, Field(max_length=4096, pattern=INDEXES)] = Field(
        "failed", description="Which, as 3,7-9, or failed: all that failed or were cancelled."
    )


class SuspendMode(StrEnum):
    """What becomes of running items when a group is suspended."""

    DRAIN = "Drain"
    STOP = "Stop"


class OnDeadline(StrEnum):
    """How a group ends whose time is up."""

    FAIL = "Fail"
    PARTIAL = "Partial"
