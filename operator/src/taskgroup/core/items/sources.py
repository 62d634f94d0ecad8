"""Where the items of a group come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from taskgroup.api.spec import Sequence, TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError


class Items(Protocol):
    """Where the items come from."""

    def __len__(self) -> int: ...
    def value(self, index: int) -> Any:
        """The item, any JSON value."""

    def fingerprint(self) -> Iterator[bytes]:
        """One piece for each item, or one for all when they follow from it."""


@dataclass(frozen=True, slots=True)
class InlineItems:
    """`spec.items`."""

    values: list[Any]

    def __len__(self) -> int:
        return len(self.values)

    def value(self, index: int) -> Any:
        return self.values[index]

    def fingerprint(self) -> Iterator[bytes]:
        return (orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in self.values)


@dataclass(frozen=True, slots=True)
class SequenceItems:
    """`spec.sequence`; the API server sees to it that it only grows."""

    sequence: Sequence

    def __len__(self) -> int:
        return self.sequence.count

    def value(self, index: int) -> Any:
        return self.sequence.start + index * self.sequence.step

    def fingerprint(self) -> Iterator[bytes]:
        yield f"sequence {self.sequence.start} {self.sequence.step}".encode()


def items_of(spec: TaskGroupSpec) -> Items:
    """The source that the spec names; InvalidSpecError when it names none."""
    if spec.items is not None:
        return InlineItems(spec.items)
    if spec.sequence is not None:
        return SequenceItems(spec.sequence)
    raise InvalidSpecError("Give exactly one of spec.items, spec.sequence and spec.tasks.")
