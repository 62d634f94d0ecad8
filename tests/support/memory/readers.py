"""`ReaderStore` in memory: pods that read items from outside, one for a group, and what becomes of them."""

from collections.abc import Callable, Sequence
from typing import Any

from support.memory.store import Store
from taskgroup.api.backend import Backend
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.item_readers import ReaderPods
from taskgroup.core.items.external import ExternalItems
from taskgroup.core.items.handover import Head, Pieces
from taskgroup.core.meta import Meta


class MemoryReaders:
    """The pods of one group, and the list outside that they read."""

    def __init__(self, items: Sequence[Any], effect: Callable[[], None]) -> None:
        """`effect` is called before and after every change."""
        self._effect = effect
        self.change(items)
        self._uid: str | None = None
        self._source: str | None = None
        """What the pod was asked to read; None without a pod."""
        self._has_ended = False

    def change(self, items: Sequence[Any]) -> None:
        """The list outside is this one now."""
        found = Pieces()
        for item in items:
            found.add(item)
        # A short list is no more than one piece.
        self._piece = found.rest() or b""
        self._head = found.head
        self.items = ExternalItems(found.head(""), [self._piece])

    def run(self, store: Store, number: int) -> None:
        """The pod does its work, and ends; or it dies before, or halfway, or cannot read, or ends later."""
        if self._uid is None or self._source is None or self._has_ended:
            return
        self._has_ended = number != 4
        if store.trouble is not None:
            return
        found = store.items.setdefault(self._uid, {})
        if number == 1:
            found[None] = Head(self._source, error="the server answers 503.").encode()
        elif number != 2:
            found[0] = self._piece
            if number != 3:
                found[None] = self._head(self._source).encode()

    async def look(self, meta: Meta) -> ReaderPods:
        """See ReaderStore."""
        del meta
        there = self._source is not None
        return ReaderPods(int(there), there and self._has_ended)

    async def start(self, meta: Meta, spec: TaskGroupSpec, broker: Backend, request: dict[str, Any]) -> None:
        """See ReaderStore."""
        del spec, broker
        self._effect()
        if self._source is None:
            self._uid, self._source, self._has_ended = meta.uid, request["source"], False
        self._effect()

    async def stop(self, meta: Meta) -> None:
        """See ReaderStore."""
        del meta
        self._effect()
        self._source, self._has_ended = None, False
        self._effect()
