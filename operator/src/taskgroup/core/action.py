"""One thing to do outside. Every plan is made of these."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Action:
    """Actions with the same effect are equal, whatever their reasons say."""

    frequent: ClassVar[bool] = False
    """Done often, or only a part of another action: its log line is for debugging only."""

    reason: str = field(default="", compare=False, kw_only=True)
    """Why it is done, in words for the log."""
