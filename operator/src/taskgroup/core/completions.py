"""How units end: the one form that a result has between its key in the result backend and the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from taskgroup.core.indexes import NONE
from taskgroup.core.units import Units


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item did not succeed: the exception's class, or a Reason of ours, and its text.

    Two are equal when both are: the traceback is an example.
    """

    reason: str
    message: str
    traceback: str = field(default="", compare=False)
    """Its last frames; empty when none is known."""
    kind: str = field(default="", compare=False)
    """The exception's class with its module; empty for what is no exception of a task, and never tried again."""


@dataclass(frozen=True, slots=True)
class Completions:
    """Units whose newest attempt ended."""

    succeeded: Units = NONE
    failed: Mapping[int, Failure] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def count(self) -> int:
        """How many units."""
        return len(self.succeeded) + len(self.failed)

    def __bool__(self) -> bool:
        return bool(self.succeeded) or bool(self.failed)

    def plus(self, later: "Completions") -> "Completions":
        """Both; what is said twice of a unit is said once, SUCCESS first."""
        return Completions(self.succeeded | later.succeeded, MappingProxyType({**self.failed, **later.failed}))

    def minus(self, counted: "Completions") -> "Completions":
        """Without those that were counted."""
        left = {unit: failure for unit, failure in self.failed.items() if unit not in counted.failed}
        return Completions(self.succeeded - counted.succeeded, MappingProxyType(left))
