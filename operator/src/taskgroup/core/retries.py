"""What the books know of retries: who waits for one until when, and how many there were. It survives a restart."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pyroaring import FrozenBitMap

from taskgroup.core.indexes import NONE
from taskgroup.core.units import Units

_NOBODY: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Retries:
    """By unit; a unit that never was retried is in none of them."""

    due: Mapping[int, int] = field(default_factory=lambda: _NOBODY)
    """Second since the epoch from which it may be sent again; it waits, and nothing of it is in the broker."""
    counted: Mapping[int, int] = field(default_factory=lambda: _NOBODY)
    """How many retries it had that count."""
    ignored: Mapping[int, int] = field(default_factory=lambda: _NOBODY)
    """How many it had that do not."""
    fatal: int | None = None
    """The item whose failure ends the group."""

    @property
    def waiting(self) -> Units:
        """All units that wait."""
        return FrozenBitMap(list(self.due)) if self.due else NONE

    def put_off(self, due: Mapping[int, int], ignored: Collection[int]) -> "Retries":
        """These wait for another attempt, which counts but for those that are ignored."""
        return replace(
            self,
            due=MappingProxyType({**self.due, **due}),
            counted=_raised(self.counted, due.keys() - set(ignored)),
            ignored=_raised(self.ignored, ignored),
        )

    def without(self, units: Units) -> "Retries":
        """These wait no more."""
        if not self.due or not units:
            return self
        return replace(self, due=MappingProxyType({unit: at for unit, at in self.due.items() if unit not in units}))

    def due_at(self, now: float) -> Units:
        """Those whose time has come."""
        return FrozenBitMap(unit for unit, at in self.due.items() if at <= now) if self.due else NONE


NO_RETRIES = Retries()


def joined(one: Retries, other: Retries, stale: Units) -> Retries:
    """What two records of the same group know together; `one` knows better, but for units that are `stale` in it."""
    if other == NO_RETRIES:
        return one.without(stale)
    return Retries(
        due=MappingProxyType({**other.due, **one.without(stale).due}),
        counted=larger(one.counted, other.counted),
        ignored=larger(one.ignored, other.ignored),
        fatal=other.fatal if one.fatal is None else one.fatal,
    )


def _raised(counts: Mapping[int, int], units: Collection[int]) -> Mapping[int, int]:
    if not units:
        return counts
    return MappingProxyType({**counts, **{unit: counts.get(unit, 0) + 1 for unit in units}})


def larger(one: Mapping[int, int], other: Mapping[int, int]) -> Mapping[int, int]:
    """By unit the larger of two numbers."""
    more = {unit: number for unit, number in other.items() if number > one.get(unit, 0)}
    return MappingProxyType({**one, **more}) if more else one
