"""The messages of a group's items, made in parts that are small enough for one script call."""

from collections.abc import Iterator, Mapping

from taskgroup.api.signature import Leaf
from taskgroup.broker.port import GroupBroker, Route, Template
from taskgroup.core.indexes import Indexes
from taskgroup.core.items.work import Work

_SLICE = 1_000
"""Most messages in one script call."""
_SLICE_BYTES = 1024 * 1024
"""No more are added once a script call has that many bytes."""
_SLICE_PLACEHOLDERS = 20_000
"""Most placeholders that are filled before others have their turn: some milliseconds."""


class Messages:
    """Fills the templates of one group."""

    def __init__(self, broker: GroupBroker, route: Route, work: Work) -> None:
        self._broker = broker
        self._route = route
        self._work = work
        self._templates: dict[str, Template] = {}
        self._last: tuple[Leaf, Template] | None = None

    def slices(self, indexes: Indexes, attempts: Mapping[int, int]) -> Iterator[list[tuple[int, int, bytes]]]:
        """Index, attempt and message of each item; a part may be in memory twice."""
        part, size = [], 0
        most = min(_SLICE, max(1, _SLICE_PLACEHOLDERS // max(self._work.placeholders, 1)))
        for index in indexes:
            attempt, call = attempts.get(index, 0), self._work.call(index)
            message = self._template(call.leaf).render(index, attempt, call.args, call.kwargs)
            part.append((index, attempt, message))
            size += len(message)
            if len(part) >= most or size >= _SLICE_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

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
