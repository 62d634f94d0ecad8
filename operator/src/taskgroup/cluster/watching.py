"""Keeps what the API server has of one kind in memory: one list, then a watch, for ever.

kopf's watch would not do: after a gap it tells what there is, and never what was deleted meanwhile.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import Resource

_FIRST_RETRY_SECONDS = 0.5
_LAST_RETRY_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
"""Between two watches, in case each ends at once."""
_GONE = 410
_log = logging.getLogger(__name__)


class Receiver(Protocol):
    """Where the objects go. A scope is what one watch covers: a namespace, or all of them (empty)."""

    def replace(self, scope: str, objects: Sequence[Object], version: str) -> None:
        """All that there is at that version: what is not among them is gone."""

    def put(self, new: Object) -> None:
        """One that is new or has changed."""

    def remove(self, old: Object) -> None:
        """One that was deleted, as it was last."""

    def fail(self, scope: str, error: ApiError) -> None:
        """Nothing can be read at present."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """One kind in one scope."""

    cluster: Cluster
    resource: Resource
    scope: str
    labels: str
    receiver: Receiver

    async def run(self) -> None:
        """Until cancelled. It lists again whenever the API server no longer knows what has changed since."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                objects, version = await self.cluster.list_versioned(self.resource, self.scope, labels=self.labels)
                self.receiver.replace(self.scope, objects, version)
                delay = _FIRST_RETRY_SECONDS
                await self._follow(version)
                await asyncio.sleep(_PAUSE_SECONDS)
            except ApiError as error:
                _log.warning("%s are watched again in %g s: %s", self.resource.plural, delay, error.message)
                self.receiver.fail(self.scope, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LAST_RETRY_SECONDS)

    async def _follow(self, version: str) -> None:
        """Until the API server no longer knows the version; a stream that merely ends is followed by another."""
        while True:
            began = version
            try:
                async for kind, changed in self.cluster.watch(self.resource, self.scope, version, labels=self.labels):
                    if kind == "ERROR":
                        return
                    self._take(kind, changed)
                    version = changed["metadata"]["resourceVersion"]
            except ApiError as error:
                if error.status == _GONE:
                    return
                if error.status or version == began:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    def _take(self, kind: str, changed: Object) -> None:
        if kind == "DELETED":
            self.receiver.remove(changed)
        elif kind in ("ADDED", "MODIFIED"):
            self.receiver.put(changed)
