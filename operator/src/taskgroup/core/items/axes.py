"""Combinations of one value from each axis, by their numbers: which values one has, and which have certain values."""

import math
from bisect import bisect_right
from collections.abc import Generator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.indexes import Indexes

_BLOCK = 2**16
Place = tuple[int, int]
"""An axis and a position in its values."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes in the order of their names. Combinations are numbered so that the last axis varies fastest."""

    names: tuple[str, ...]
    values: tuple[list[Any], ...]

    @property
    def total(self) -> int:
        """How many combinations there are."""
        return math.prod(len(values) for values in self.values)

    def places(self, number: int) -> list[Place]:
        """Where a combination has its values."""
        found = []
        for axis in reversed(range(len(self.values))):
            number, position = divmod(number, len(self.values[axis]))
            found.append((axis, position))
        return found[::-1]

    def item(self, number: int) -> dict[str, Any]:
        """The combination as an object."""
        return {self.names[axis]: self.values[axis][position] for axis, position in self.places(number)}

    def diagonal(self, step: int) -> int:
        """The number of the combination that is so many steps further on every axis, each of them a ring."""
        number = 0
        for values in self.values:
            number = number * len(values) + step % len(values)
        return number

    def having(self, chosen: dict[int, list[int]]) -> Generator[None, None, BitMap]:
        """The numbers of all combinations with one of the chosen positions on each chosen axis."""
        found, size = BitMap([0]), 1
        for axis in reversed(range(len(self.values))):
            count = len(self.values[axis])
            positions = chosen.get(axis)
            found = yield from _repeated(found, size, count) if positions is None else _shifted(found, size, positions)
            size *= count
        return found


def _shifted(found: BitMap, size: int, positions: list[int]) -> Generator[None, None, BitMap]:
    """The numbers at each of these positions of an axis whose steps are of this size."""
    union = BitMap()
    for position in positions:
        union |= found.shift(position * size)
        yield
    return union


def _repeated(found: BitMap, size: int, count: int) -> Generator[None, None, BitMap]:
    """The numbers at all positions of such an axis, in as many steps as `count` has binary digits."""
    union, done, power, block = BitMap(), 0, 1, found
    while power <= count:
        if count & power:
            union |= block.shift(done * size)
            done += power
        block = block | block.shift(power * size)
        power *= 2
        yield
    return union


@dataclass(frozen=True, slots=True)
class Kept:
    """The numbers of the combinations that are left, in order. In one bitmap a look costs the more the longer it is."""

    blocks: tuple[Indexes, ...]
    starts: tuple[int, ...]
    """How many numbers are before each block, and in all."""

    def __len__(self) -> int:
        return self.starts[-1]

    def number(self, index: int) -> int:
        """The combination of an item."""
        block = bisect_right(self.starts, index) - 1
        return self.blocks[block][index - self.starts[block]]

    def index(self, number: int) -> int:
        """The item of a combination that is left."""
        block = number // _BLOCK
        return self.starts[block] + self.blocks[block].rank(number) - 1


def in_blocks(kept: Indexes, total: int) -> Kept:
    """The numbers below `total` that are in the bitmap."""
    starts = range(0, total, _BLOCK)
    blocks = tuple(kept & FrozenBitMap(range(start, start + _BLOCK)) for start in starts)
    return Kept(blocks, tuple(accumulate(map(len, blocks), initial=0)))
