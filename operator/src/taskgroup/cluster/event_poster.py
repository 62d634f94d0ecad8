"""Kubernetes events about a TaskGroup, which `kubectl describe` shows; never more of one group than a bound."""

import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from taskgroup.api.names import API_VERSION, KIND, MANAGER
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import EVENTS
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta
from taskgroup.core.text import shortened

BURST = 25
REFILL_SECONDS = 300.0
_MOST_OBJECTS = 10_000
"""Those without an event for the longest time are forgotten first."""
MAX_MESSAGE = 1024
"""Most characters that the events API accepts."""

_log = logging.getLogger(__name__)


class EventLimit:
    """As client-go has it: 25 events of an object at once, then one in five minutes. What is too much is counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._objects: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, uid: str) -> int | None:
        """How many events of the object were left out before this one; None when this one is left out, too."""
        now = self._clock()
        bucket = self._objects.pop(uid, None) or _Bucket(now)
        self._objects[uid] = bucket
        if len(self._objects) > _MOST_OBJECTS:
            self._objects.popitem(last=False)
        return bucket.take(now)


class _Bucket:
    __slots__ = ("_left", "_left_out", "_since")

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._since = now
        self._left_out = 0

    def take(self, now: float) -> int | None:
        self._left = min(float(BURST), self._left + (now - self._since) / REFILL_SECONDS)
        self._since = now
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out


async def post(cluster: Cluster, meta: Meta, event: Event, reporter: str = MANAGER, *, left_out: int = 0) -> None:
    """Post one event; `reporter` is the operator's pod. A failure is logged, not raised.

    `left_out` is the number of events that were not posted before it.
    """
    if left_out:
        event = replace(event, message=f"{event.message} ({left_out} events before this one were left out.)")
    body = _event(meta, event, reporter, datetime.now(UTC))
    try:
        await cluster.create(EVENTS, meta.namespace, body, metadata_only=True)
    except ApiError as error:
        _log.warning("Event %s of %s/%s was not posted: %s", event.reason, meta.namespace, meta.name, error.message)


def _event(meta: Meta, event: Event, reporter: str, now: datetime) -> Object:
    posted = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    involved = {"apiVersion": API_VERSION, "kind": KIND, "namespace": meta.namespace, "name": meta.name}
    return {
        "metadata": {"name": f"{meta.name}.{uuid.uuid4().hex[:16]}", "namespace": meta.namespace},
        "involvedObject": involved | {"uid": meta.uid},
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason.value,
        "message": shortened(event.message, MAX_MESSAGE),
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": reporter,
        "firstTimestamp": posted,
        "lastTimestamp": posted,
        "count": 1,
    }
