"""How long a filled value is, reckoned without filling it.

A template may hold a placeholder thousands of times and an item a million bytes: what a tenant can make of both must be
known before the first byte of it is in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.placeholders import Occurrences, Scope
from taskgroup.core.json_limits import MAX_LEVELS, levels_beyond

MAX_PLACEHOLDERS = 10_000
"""Placeholders in one signature; more of them take milliseconds to fill, for each item."""
MAX_DIFFERENT = 256
"""Different ones among them; each is looked up in every item before the group starts."""
_QUOTES = 2


@dataclass(frozen=True, slots=True)
class _Use:
    lookup: Callable[[Scope], Any]
    alone: int
    """How often the placeholder stands alone in a string."""
    in_text: int


@dataclass(frozen=True, slots=True)
class FilledSize:
    """The length of a template's JSON for any item."""

    fixed_bytes: int
    uses: tuple[_Use, ...]
    deepest: int
    placeholders: int
    """How many there are."""

    def bytes_for(self, scope: Scope) -> int:
        """Bytes of the filled JSON; InvalidSpecError when a placeholder finds nothing, or too deep an item."""
        return self.fixed_bytes + sum(self._use_bytes(use, scope) for use in self.uses)

    def bytes_of_list(self, with_one: int, count: int) -> int:
        """Most bytes with a list of so many items, when `with_one` is the most with a list of one."""
        return self.fixed_bytes + (with_one - self.fixed_bytes) * count

    def _use_bytes(self, use: _Use, scope: Scope) -> int:
        value = use.lookup(scope)
        encoded = orjson.dumps(value)
        if use.alone and levels_beyond(value, encoded, MAX_LEVELS - self.deepest):
            raise InvalidSpecError(
                f"The arguments of item {scope.index} are nested too deeply (about {MAX_LEVELS} levels are possible):"
                " pass such data as text."
            )
        return use.alone * len(encoded) + use.in_text * _bytes_in_text(value, encoded)


def _bytes_in_text(value: Any, encoded: bytes) -> int:
    """Inside a string a text loses its quotes, and the JSON of anything else is escaped."""
    if isinstance(value, str):
        return len(encoded) - _QUOTES
    return len(encoded) + encoded.count(b'"') + encoded.count(b"\\")


def filled_size(value: Any, occurrences: Occurrences, where: str) -> FilledSize:
    """InvalidSpecError, which names `where`, when there are too many placeholders."""
    count = occurrences.times.total()
    if count > MAX_PLACEHOLDERS or len(occurrences.lookups) > MAX_DIFFERENT:
        raise InvalidSpecError(
            f"{where} has {count} placeholders, {len(occurrences.lookups)} of them different: {MAX_PLACEHOLDERS} and"
            f" {MAX_DIFFERENT} are possible; pass the whole item and let the task pick from it."
        )
    uses = tuple(
        _Use(lookup, occurrences.times[name, True], occurrences.times[name, False])
        for name, lookup in occurrences.lookups.items()
    )
    return FilledSize(len(orjson.dumps(value)) - occurrences.replaced_bytes, uses, occurrences.deepest, count)
