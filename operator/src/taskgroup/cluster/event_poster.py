"""Kubernetes events about a TaskGroup, which `kubectl describe` shows."""

import logging
import uuid
from datetime import UTC, datetime

from taskgroup.api.names import API_VERSION, KIND, MANAGER
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import EVENTS
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta

MAX_MESSAGE = 1024
"""Most characters that the events API accepts."""

_log = logging.getLogger(__name__)


async def post(cluster: Cluster, meta: Meta, event: Event, reporter: str = MANAGER) -> None:
    """Post one event; `reporter` is the operator's pod. A failure is logged, not raised."""
    try:
        await cluster.create(EVENTS, meta.namespace, _event(meta, event, reporter, datetime.now(UTC)))
    except ApiError as error:
        _log.warning("Event %s of %s/%s was not posted: %s", event.reason, meta.namespace, meta.name, error.message)


def _event(meta: Meta, event: Event, reporter: str, now: datetime) -> Object:
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    involved = {"apiVersion": API_VERSION, "kind": KIND, "namespace": meta.namespace, "name": meta.name}
    return {
        "metadata": {"name": f"{meta.name}.{uuid.uuid4().hex[:16]}", "namespace": meta.namespace},
        "involvedObject": involved | {"uid": meta.uid},
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason.value,
        "message": _bounded(event.message),
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": reporter,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"
