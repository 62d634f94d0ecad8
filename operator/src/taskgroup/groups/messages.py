"""The messages of a group's units, made in parts that are small enough for one script call."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from taskgroup.api.signature import Leaf
from taskgroup.broker.port import GroupBroker, Route, Template
from taskgroup.core.items.work import Work
from taskgroup.core.units import Units
from taskgroup.groups.step_results import StepResults

_SLICE = 1_000
"""Most messages in one script call."""
_SLICE_BYTES = 1024 * 1024
"""No more are added once a script call has that many bytes."""
_SLICE_PLACEHOLDERS = 20_000
"""Most placeholders that are filled before others have their turn: some milliseconds."""

Values = Mapping[int, list[Any]]
NO_VALUES: Values = MappingProxyType({})


class Messages:
    """Fills the templates of one group."""

    def __init__(self, broker: GroupBroker, route: Route, work: Work) -> None:
        self._broker = broker
        self._route = route
        self._work = work
        self._templates: dict[str, Template] = {}
        self._last: tuple[Leaf, Template] | None = None
        self.left_out: dict[int, int | None] = {}
        """Units whose results fit into no message, and how long it would be; None where they are nested too deeply."""

    def slices(
        self, units: Units, attempts: Mapping[int, int], results: StepResults | None = None, values: Values = NO_VALUES
    ) -> Iterator[list[tuple[int, int, bytes]]]:
        """Unit, attempt and message of each unit; a part may be in memory twice.

        `values` are the results, or what tells of a failure, that go in front of the arguments; a message that becomes
        too long by one is left out.
        """
        part, size = [], 0
        most = min(_SLICE, max(1, _SLICE_PLACEHOLDERS // max(self._work.placeholders, 1)))
        for unit in units:
            attempt = attempts.get(unit, 0)
            if unit in values:
                message = self._fitting(unit, attempt, results, values[unit])
            else:
                message = self._message(unit, attempt, results)
            if message is None:
                continue
            part.append((unit, attempt, message))
            size += len(message)
            if len(part) >= most or size >= _SLICE_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _fitting(self, unit: int, attempt: int, results: StepResults | None, values: list[Any]) -> bytes | None:
        """None when the unit is left out; messages without values were measured before the group started."""
        try:
            message = self._message(unit, attempt, results, values)
        except RecursionError:
            self.left_out[unit] = None
            return None
        if len(message) > self._work.most_message_bytes:
            self.left_out[unit] = len(message)
            return None
        return message

    def _message(self, unit: int, attempt: int, results: StepResults | None, values: Sequence[Any] = ()) -> bytes:
        call = self._work.call(unit)
        args = [*values, *call.args] if values else call.args
        parent = results.parent(unit) if results else None
        return self._template(call.leaf).render(unit, attempt, args, call.kwargs, parent)

    def _template(self, leaf: Leaf) -> Template:
        """One template for all signatures that differ in their arguments alone."""
        # Most groups have one signature; telling what equals it costs more than filling a message.
        if self._last is not None and self._last[0] is leaf:
            return self._last[1]
        key = f"{leaf.task} {leaf.options!r}"
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = self._broker.template(leaf, self._route)
        self._last = leaf, template
        return template
