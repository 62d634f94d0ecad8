"""Where the items of a group come from."""

from collections.abc import Generator
from collections.abc import Sequence as Indexable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from taskgroup.api.spec import MAX_ITEMS, Sequence, TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.matrix import matrix_items
from taskgroup.core.items.placeholders import NOT_YET


class Items(Protocol):
    """Where the items come from."""

    def __len__(self) -> int: ...
    def value(self, index: int) -> Any:
        """The item, any JSON value."""

    @property
    def pieces(self) -> int:
        """How many pieces tell these items from others: one for each, or one for all when they follow from it."""

    def piece(self, position: int) -> bytes:
        """One of them."""

    def samples(self) -> Indexable[int]:
        """The indexes whose values stand for all others: what is found in these is found in each."""


@dataclass(frozen=True, slots=True)
class InlineItems:
    """`spec.items`."""

    values: list[Any]

    def __len__(self) -> int:
        return len(self.values)

    def value(self, index: int) -> Any:
        return self.values[index]

    @property
    def pieces(self) -> int:
        return len(self.values)

    def piece(self, position: int) -> bytes:
        return orjson.dumps(self.values[position], option=orjson.OPT_SORT_KEYS)

    def samples(self) -> Indexable[int]:
        return range(len(self.values))


@dataclass(frozen=True, slots=True)
class SequenceItems:
    """`spec.sequence`; the API server sees to it that it only grows."""

    sequence: Sequence

    def __len__(self) -> int:
        return self.sequence.count

    def value(self, index: int) -> Any:
        return self.sequence.start + index * self.sequence.step

    @property
    def pieces(self) -> int:
        return 1

    def piece(self, position: int) -> bytes:
        del position
        return f"sequence {self.sequence.start} {self.sequence.step}".encode()

    def samples(self) -> Indexable[int]:
        """The longest numbers are at the ends."""
        return (0, len(self) - 1)


def items_of(spec: TaskGroupSpec, before: Any = NOT_YET, external: Items | None = None) -> Generator[None, None, Items]:
    """The source that the spec names; InvalidSpecError when it names none. In small steps.

    `before` is the result of spec.before, `external` what was read for spec.itemsFrom.
    """
    if spec.items is not None:
        return InlineItems(spec.items)
    if spec.sequence is not None:
        return SequenceItems(spec.sequence)
    if spec.matrix is not None:
        return (yield from matrix_items(spec.matrix))
    if spec.items_from is not None and spec.items_from.before is not None:
        return items_of_before(before)
    if external is not None:
        return external
    raise InvalidSpecError("Give exactly one of spec.items, spec.sequence, spec.matrix, spec.itemsFrom and spec.tasks.")


def items_of_before(result: Any) -> InlineItems:
    """The items that spec.before has returned, none as long as nobody knows it; InvalidSpecError when it is no list."""
    if result is NOT_YET:
        return InlineItems([])
    if not isinstance(result, list):
        raise InvalidSpecError(
            f"The result of spec.before is not a list, but {_kind(result)}: its entries would be items."
        )
    if len(result) > MAX_ITEMS:
        raise InvalidSpecError(
            f"The result of spec.before has {len(result):,} entries, and {MAX_ITEMS:,} are allowed: put several into"
            " one item, or make several groups."
        )
    return InlineItems(result)


def _kind(value: Any) -> str:
    """In JSON's words."""
    if value is None or isinstance(value, bool):
        return orjson.dumps(value).decode()
    return "an object" if isinstance(value, dict) else "a text" if isinstance(value, str) else "a number"
