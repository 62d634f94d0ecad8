"""The kopf handlers: a daemon per TaskGroup for its two loops, events that wake them, and the cleanup."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import aiohttp
import kopf

from taskgroup.api.names import FINALIZER, GROUP, PLURAL, VERSION
from taskgroup.cluster.errors import ApiError
from taskgroup.connections.shared import Connections
from taskgroup.core.groups.resting import READ_AT_REST
from taskgroup.groups.cleanup import Cleaner
from taskgroup.groups.loop import GroupLoop
from taskgroup.loops.meeting import Meeting, Meetings
from taskgroup.pools.loop import PoolLoop

_EXIT_SECONDS = 5.0
_MAX_RECORDS = 10_000
_WATCHES = 2
"""Watch streams of each namespace: TaskGroups, and a spare one for a stream that restarts."""

_KOPF_CONNECTIONS = 8
"""For finalizers alone."""
_BULK = ("failures", "completedIndexes", "failedIndexes")
_SEEN = ("generation", "finalizers", "deletionTimestamp", "labels", "annotations")
"""What a loop looks at of the metadata; the generation stands for the spec."""

Body = Mapping[str, Any]


class Witness(Protocol):
    """Who counts the groups that there are."""

    def seen(self, uid: str, namespace: str, state: str | None) -> None:
        """The group is there; without a state nothing was written of it."""

    def forget(self, uid: str) -> None:
        """It is gone."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Stores no last-handled state in the user's object, because no handler needs a diff.

    kopf would also copy the whole object, recursively, at every event; a TaskGroup may have a million bytes and 10,000
    levels of nesting.
    """

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence:
        """Return what `build` does, so that kopf never sees a difference."""
        return self.build(body=body)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Return nothing of the object."""
        del body, extra_fields
        return kopf.BodyEssence({})


class _ProgressInMemory(kopf.AnnotationsProgressStorage):
    """Keeps in memory how far a handler is, because anybody may write the annotation that kopf would keep it in.

    What such an annotation holds is read by nobody. A restart begins the cleanup anew, which changes nothing.
    """

    def __init__(self) -> None:
        super().__init__(prefix=GROUP, v1=False)
        self._records: dict[tuple[str, str], Any] = {}

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        """Return what was stored of the handler."""
        return self._records.get((body["metadata"]["uid"], key))

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Keep it; of objects that went without the end of their cleanup the oldest is dropped some time."""
        del patch
        self._records[body["metadata"]["uid"], key] = record
        if len(self._records) > _MAX_RECORDS:
            del self._records[next(iter(self._records))]

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Drop it: the handler is through."""
        del patch
        self._records.pop((body["metadata"]["uid"], key), None)


def operator_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: it posts no events and stores no diffs."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _ProgressInMemory()
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.background.cancellation_polling = 5
    settings.execution.default_backoff = 5
    return settings


def build_registry(
    groups: GroupLoop,
    pools: PoolLoop,
    cleaner: Cleaner,
    meetings: Meetings,
    connections: Connections,
    kubeconfig: str | None,
    namespaces: int,
    witness: Witness,
) -> kopf.OperatorRegistry:
    """Return a registry with all handlers; importing this module registers none.

    `namespaces` is the number of watched namespaces, 0 for all: each watch stream takes a connection.
    """
    registry = kopf.OperatorRegistry()
    _login(registry, kubeconfig, _KOPF_CONNECTIONS + _WATCHES * max(namespaces, 1))
    _task_groups(registry, Lives(groups, pools, cleaner, meetings, witness))
    _exit(registry, connections)
    return registry


def _login(registry: kopf.OperatorRegistry, kubeconfig: str | None, connections: int) -> None:
    async def login(**kwargs: Any) -> kopf.AiohttpSession | None:
        """Limit the connections: kopf's own session opens one for each object that it patches at the same time."""
        credentials = _credentials(kubeconfig, **kwargs)
        if credentials is None:
            return None
        connector = aiohttp.TCPConnector(limit=connections, ssl=credentials.as_ssl_context())
        session = aiohttp.ClientSession(connector=connector, headers=credentials.as_http_headers())
        return kopf.AiohttpSession(
            server=credentials.server, default_namespace=credentials.default_namespace, aiohttp_session=session
        )

    kopf.on.login(registry=registry, retries=3)(login)


def _credentials(kubeconfig: str | None, **kwargs: Any) -> kopf.ConnectionInfo | None:
    if kubeconfig is None:
        return kopf.login_with_service_account(**kwargs)
    os.environ["KUBECONFIG"] = kubeconfig
    return kopf.login_with_kubeconfig(**kwargs)


class Lives:
    """The loops that run, from the start of an object to the cleanup after it."""

    def __init__(
        self, groups: GroupLoop, pools: PoolLoop, cleaner: Cleaner, meetings: Meetings, witness: Witness
    ) -> None:
        self._groups = groups
        self._witness = witness
        self._pools = pools
        self._cleaner = cleaner
        self._meetings = meetings
        self._running: dict[str, asyncio.Event] = {}

    async def follow(self, body: Body, uid: str, stopped: kopf.DaemonStopped) -> None:
        """Both loops, until they are stopped or the object is gone."""
        meeting, ended = self._meetings.of(uid), self._running.setdefault(uid, asyncio.Event())
        wake_task = asyncio.create_task(_wake_when_stopped(stopped, meeting))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._groups.run(body, lambda: meeting.gone or bool(stopped)))
                both.create_task(self._pools.run(uid, lambda: meeting.gone or bool(stopped)))
        finally:
            wake_task.cancel()
            self._running.pop(uid, ended).set()
            if meeting.gone:
                self.forget(uid)

    async def clean(self, body: Body, uid: str) -> None:
        """After the loops: a late look would make a new Deployment, and close the connection that the cleanup uses.

        TimeoutError while a look has not ended.
        """
        if ended := self._running.get(uid):
            await asyncio.wait_for(ended.wait(), _EXIT_SECONDS)
        await self._cleaner.clean(body)

    def changed(self, body: Body, uid: str) -> None:
        """The object did. Its status is the operator's own, so a change of that alone wakes nobody."""
        metadata = body["metadata"]
        self._witness.seen(uid, metadata["namespace"], (body.get("status") or {}).get("state"))
        seen = [metadata.get(name) for name in _SEEN]
        if (meeting := self._meetings.find(uid)) and meeting.seen != seen:
            meeting.seen = seen
            meeting.group.wake()

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._cleaner.forget(uid)
        self._pools.forget(uid)
        self._witness.forget(uid)


def _task_groups(registry: kopf.OperatorRegistry, lives: Lives) -> None:
    async def follow(body: Body, stopped: kopf.DaemonStopped, uid: str, **_: Any) -> None:
        await lives.follow(body, uid, stopped)

    async def changed(body: Body, uid: str, type: str | None, event: Any, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        trim(event["object"])
        if type == "DELETED":
            lives.forget(uid)
        else:
            lives.changed(body, uid)

    async def deleted(body: Body, uid: str, **_: Any) -> None:
        try:
            await lives.clean(body, uid)
        except TimeoutError:
            raise kopf.TemporaryError("Its last look has not ended yet.", delay=1) from None
        except ApiError as error:
            raise kopf.TemporaryError(str(error), delay=5) from None

    resource = (GROUP, VERSION, PLURAL)
    kopf.daemon(
        *resource, registry=registry, id="loop", cancellation_backoff=_EXIT_SECONDS, cancellation_timeout=_EXIT_SECONDS
    )(follow)
    kopf.on.event(*resource, registry=registry, id="changed")(changed)
    kopf.on.delete(*resource, registry=registry, id="cleanup")(deleted)


def trim(raw: dict[str, Any]) -> None:
    """kopf keeps the last event of every object in memory: of its larger parts, what no loop reads goes.

    No field of the status goes as a whole, because one that has none was never looked at.
    """
    raw["metadata"].pop("managedFields", None)
    status = raw.get("status") or {}
    status.update({name: None for name in _BULK if name in status})
    if conditions := status.get("conditions"):
        status["conditions"] = [condition for condition in conditions if condition.get("type") in READ_AT_REST]


async def _wake_when_stopped(stopped: kopf.DaemonStopped, meeting: Meeting) -> None:
    await stopped.wait()
    meeting.wake_both()


def _exit(registry: kopf.OperatorRegistry, connections: Connections) -> None:
    async def close(**_: Any) -> None:
        """End the sweeps; kopf would wait five seconds for them."""
        await connections.close()

    kopf.on.cleanup(registry=registry, id="close")(close)
