"""The items of `spec.itemsFrom` on their way from Redis, where a pod has put them, into a group's memory."""

from typing import Any, Protocol

from taskgroup.api.backend import Backend
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import BookKeys
from taskgroup.broker.port import GroupBroker
from taskgroup.cluster.item_places import request_of, source_of
from taskgroup.cluster.item_readers import ReaderPods
from taskgroup.connections.linking import Link, Linker
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.handover import MAX_BYTES, Head
from taskgroup.core.meta import Meta
from taskgroup.core.reading import Reading
from taskgroup.groups.memory import Intake
from taskgroup.loops.clock import NEVER, Clock
from taskgroup.transport.errors import BrokerError

NO_CLUSTER = Reading(
    error="it is read by a pod, and here nobody can start one: the chart sets the operator's image as"
    " TASKGROUP_READER_IMAGE.",
    is_due=False,
)
_WAITING = Reading(pods=1)
UNREAD_SECONDS = 30.0
"""Between two tries to read a source that could not be read."""


class ItemsSource(Protocol):
    """Who knows the items of a group."""

    async def look(self, intake: Intake, meta: Meta, spec: TaskGroupSpec) -> Reading:
        """What is known; the items are in `intake.source` once they are."""


class ReaderStore(Protocol):
    """The pods that read items."""

    async def look(self, meta: Meta) -> ReaderPods:
        """Those of one group."""

    async def start(self, meta: Meta, spec: TaskGroupSpec, broker: Backend, request: dict[str, Any]) -> None:
        """One that is there already is enough."""

    async def stop(self, meta: Meta) -> None:
        """All of the group go."""


class ItemsReader:
    """Looks for one group after another."""

    def __init__(self, readers: ReaderStore, linker: Linker, clock: Clock) -> None:
        self._readers = readers
        self._linker = linker
        self._clock = clock

    async def start(self, link: Link, meta: Meta, spec: TaskGroupSpec) -> None:
        """A pod that reads; what an earlier one has left is forgotten, or it would be taken for this one's."""
        if spec.items_from is None:
            return
        await link.connection.groups.forget_items(meta.uid)
        broker = self._linker.broker_of(meta, spec)
        prefix = broker.transport_options.global_key_prefix or ""
        request = request_of(spec.items_from) | {"key": BookKeys(prefix, meta.uid).items}
        await self._readers.start(meta, spec, broker, request)

    async def stop(self, meta: Meta) -> None:
        """No pod is left."""
        await self._readers.stop(meta)

    async def look(self, intake: Intake, meta: Meta, spec: TaskGroupSpec) -> Reading:
        """What is known; the items are in `intake.source` once they are. ApiError when the cluster refuses."""
        try:
            return await self._look(intake, meta, spec)
        except BrokerError:
            return _WAITING
        except InvalidSpecError as error:
            return Reading(pods=1, hindrance=str(error))

    async def _look(self, intake: Intake, meta: Meta, spec: TaskGroupSpec) -> Reading:
        if intake.link is None or spec.items_from is None:
            return _WAITING
        if intake.source is not None and intake.source[0].source == source_of(spec.items_from):
            return Reading(is_read=True)
        groups = intake.link.connection.groups
        # In this order: a pod that has ended has written the head before.
        pods = await self._readers.look(meta)
        head = await _head(groups, meta, source_of(spec.items_from))
        if head is None:
            intake.unread_at = NEVER
            return Reading(pods=pods.count, has_ended=pods.have_ended, hindrance=pods.hindrance)
        if head.error:
            return Reading(pods=pods.count, error=head.error, is_due=self._is_due(intake))
        intake.source = head, await _pieces(groups, meta, head)
        return Reading(pods=pods.count, is_read=True)

    def _is_due(self, intake: Intake) -> bool:
        now = self._clock.monotonic()
        if intake.unread_at == NEVER:
            intake.unread_at = now
        return now - intake.unread_at >= UNREAD_SECONDS


async def _head(groups: GroupBroker, meta: Meta, source: str) -> Head | None:
    """None when nothing was read of this source."""
    data = await groups.items_part(meta.uid, None)
    try:
        head = Head.decode(data) if data else None
    except ValueError:
        return None
    return head if head is not None and head.source == source else None


async def _pieces(groups: GroupBroker, meta: Meta, head: Head) -> list[bytes]:
    """All pieces; InvalidSpecError when some are missing, or they are more than the pod may write."""
    pieces, total = list[bytes](), 0
    for number in range(len(head.starts)):
        piece = await groups.items_part(meta.uid, number)
        total += len(piece or b"")
        if piece is None or total > 2 * MAX_BYTES:
            raise InvalidSpecError("spec.itemsFrom: the list in Redis is not whole: create a new TaskGroup.")
        pieces.append(piece)
    return pieces
