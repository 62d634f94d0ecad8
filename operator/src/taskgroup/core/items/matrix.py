"""The items of `spec.matrix`: a combination is made from its number when it is asked for.

Ten million combinations take no memory. Kept is only which of them are left after `exclude`, as a bitmap.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.matrix import Matrix
from taskgroup.api.spec import MAX_COUNT
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.indexes import Indexes, full
from taskgroup.core.items.axes import Axes, Kept, Place, in_blocks
from taskgroup.core.text import shortened

_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class MatrixItems:
    """`spec.matrix`. Build it by `matrix_items`."""

    matrix: Matrix
    axes: Axes
    kept: Kept
    sampled: tuple[int, ...]
    """Numbers of some: every value that a kept combination has is in one of them."""

    def __len__(self) -> int:
        return len(self.kept) + len(self._included)

    @property
    def _included(self) -> list[dict[str, Any]]:
        return self.matrix.include or []

    def value(self, index: int) -> Any:
        if index < len(self.kept):
            return self.axes.item(self.kept.number(index))
        return self._included[index - len(self.kept)]

    @property
    def pieces(self) -> int:
        return 1

    def piece(self, position: int) -> bytes:
        del position
        parts = [self.matrix.axes, self.matrix.exclude or [], self._included]
        return b"matrix " + orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)

    def samples(self) -> list[int]:
        combined = [self.kept.index(number) for number in self.sampled]
        return combined + list(range(len(self.kept), len(self)))

    def largest(self, size_of: Callable[[Any], int]) -> Generator[None, None, int]:
        """The most that `size_of` can be for a combination, in small steps: what an axis adds by its longest value
        does not depend on the other axes. It may be an excluded combination.
        """
        if not self.sampled:
            return 0
        base = self.axes.item(self.sampled[0])
        least = size_of(base)
        most = dict.fromkeys(self.axes.names, least)
        for axis, position in sorted({place for number in self.sampled for place in self.axes.places(number)}):
            name = self.axes.names[axis]
            most[name] = max(most[name], size_of({**base, name: self.axes.values[axis][position]}))
            yield
        return least + sum(longest - least for longest in most.values())


def matrix_items(matrix: Matrix) -> Generator[None, None, MatrixItems]:
    """The items of a matrix; InvalidSpecError when there are none or too many, or an exclusion matches nothing."""
    names = tuple(sorted(matrix.axes))
    axes = Axes(names, tuple(matrix.axes[name] for name in names))
    _check_count(axes.total + len(matrix.include or []))
    kept = yield from _kept(axes, matrix.exclude or [])
    if not kept and not matrix.include:
        raise InvalidSpecError(
            "spec.matrix.exclude leaves no combination: take an entry away, or add items to spec.matrix.include."
        )
    sampled = yield from _sampled(axes, kept)
    return MatrixItems(matrix, axes, in_blocks(kept, axes.total), sampled)


def _check_count(total: int) -> None:
    if total > MAX_COUNT:
        raise InvalidSpecError(
            f"spec.matrix has {total:,} items before spec.matrix.exclude, and {MAX_COUNT:,} are possible:"
            " give fewer axes or values, or make several TaskGroups."
        )


def _kept(axes: Axes, exclude: list[dict[str, Any]]) -> Generator[None, None, Indexes]:
    positions = [_positions(values) for values in axes.values] if exclude else []
    yield
    kept = BitMap(full(axes.total))
    for entry, part in enumerate(exclude):
        kept -= yield from axes.having(_chosen(axes, positions, part, f"spec.matrix.exclude[{entry}]"))
    return FrozenBitMap(kept)


def _positions(values: list[Any]) -> dict[str, list[int]]:
    """Where each value is, by its JSON: for Python 1 and true are equal."""
    found: dict[str, list[int]] = {}
    for position, value in enumerate(values):
        found.setdefault(_json(value), []).append(position)
    return found


def _chosen(
    axes: Axes, positions: list[dict[str, list[int]]], part: dict[str, Any], where: str
) -> dict[int, list[int]]:
    """What an entry of `exclude` names. One that matches nothing is an error: its author expects it to."""
    chosen = {}
    for name, value in part.items():
        if name not in axes.names:
            known = ", ".join(shortened(axis, _NAME_LENGTH) for axis in axes.names)
            raise InvalidSpecError(f"{where} names the axis {shortened(name, _NAME_LENGTH)!r}: there are {known}.")
        axis = axes.names.index(name)
        chosen[axis] = positions[axis].get(_json(value), [])
        if not chosen[axis]:
            shown = shortened(_json(value), _NAME_LENGTH)
            raise InvalidSpecError(
                f"{where} excludes nothing: the axis {shortened(name, _NAME_LENGTH)!r} has no value {shown}."
            )
    return chosen


def _json(value: Any) -> str:
    # As text: what orjson returns keeps a buffer of kilobytes.
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _sampled(axes: Axes, kept: Indexes) -> Generator[None, None, tuple[int, ...]]:
    """Kept combinations with every value that one of them has: few, and each value about as often as in all."""
    sampled, seen = set(), set()
    for step in range(max(len(values) for values in axes.values)):
        number = axes.diagonal(step)
        if number in kept:
            sampled.add(number)
            seen.update(axes.places(number))
        yield
    for axis, position in _all_places(axes):
        if (axis, position) not in seen:
            having = (yield from axes.having({axis: [position]})) & kept
            if having:
                sampled.add(having.min())
    return tuple(sorted(sampled))


def _all_places(axes: Axes) -> Iterator[Place]:
    return ((axis, position) for axis, values in enumerate(axes.values) for position in range(len(values)))
