"""What kopf calls: one daemon per TaskGroup for its two loops, watchers that only wake them, the cleanup."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import kopf

from taskgroup.api.names import FINALIZER, GROUP, LABEL_MANAGED_BY, LABEL_UID, MANAGER, PLURAL, VERSION
from taskgroup.cluster.client import CONNECTIONS
from taskgroup.cluster.errors import ApiError
from taskgroup.connections.shared import Connections
from taskgroup.groups.cleanup import Cleaner
from taskgroup.groups.loop import GroupLoop
from taskgroup.loops.meeting import Meetings
from taskgroup.pools.loop import PoolLoop

_OURS = f"{LABEL_MANAGED_BY}={MANAGER}"
_EXIT_SECONDS = 5.0
_WATCHES = 4
"""Streams for each watched namespace: TaskGroups, Deployments, pods, and room for one that is being renewed."""

Body = Mapping[str, Any]


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing here asks what changed since the last event, so nothing is written into the user's object for it.

    kopf would copy whole objects at every event, level by level; ours may have a million bytes and 10,000 levels.
    """

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence:
        """What was seen last equals what is seen now: to kopf nothing ever changes, and it has nothing to do."""
        return self.build(body=body)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        small: Any = {name: value for name, value in body.items() if name not in ("spec", "status")}
        return super().build(body=kopf.Body(small), extra_fields=extra_fields)


def operator_settings() -> kopf.OperatorSettings:
    """kopf's settings: no annotations, no events of its own, only our pods watched."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.background.cancellation_polling = 5
    settings.execution.default_backoff = 5
    settings.watching.label_selectors["pods"] = _OURS
    settings.watching.label_selectors["deployments.apps"] = _OURS
    return settings


def build_registry(
    groups: GroupLoop,
    pools: PoolLoop,
    cleaner: Cleaner,
    meetings: Meetings,
    connections: Connections,
    kubeconfig: str | None,
    stop: asyncio.Event,
    namespaces: int,
) -> kopf.OperatorRegistry:
    """Explicit registrations, so that importing this module does nothing.

    `namespaces` is how many are watched, 0 for all: each watch keeps a connection for itself.
    """
    registry = kopf.OperatorRegistry()
    _login(registry, kubeconfig, CONNECTIONS + _WATCHES * max(namespaces, 1))
    _task_groups(registry, groups, pools, cleaner, meetings)
    _children(registry, meetings)
    _probe(registry, connections)
    _exit(registry, connections, stop)
    return registry


def _login(registry: kopf.OperatorRegistry, kubeconfig: str | None, connections: int) -> None:
    async def login(**kwargs: Any) -> kopf.AiohttpSession | None:
        """kopf's own session opens a connection for each object that it patches at the same time."""
        found = _credentials(kubeconfig, **kwargs)
        if found is None:
            return None
        connector = aiohttp.TCPConnector(limit=connections, ssl=found.as_ssl_context())
        session = aiohttp.ClientSession(connector=connector, headers=found.as_http_headers())
        return kopf.AiohttpSession(
            server=found.server, default_namespace=found.default_namespace, aiohttp_session=session
        )

    kopf.on.login(registry=registry, retries=3)(login)


def _credentials(kubeconfig: str | None, **kwargs: Any) -> kopf.ConnectionInfo | None:
    if kubeconfig is None:
        return kopf.login_with_service_account(**kwargs)
    os.environ["KUBECONFIG"] = kubeconfig
    return kopf.login_with_kubeconfig(**kwargs)


def _task_groups(
    registry: kopf.OperatorRegistry, groups: GroupLoop, pools: PoolLoop, cleaner: Cleaner, meetings: Meetings
) -> None:
    async def follow(body: Body, stopped: kopf.DaemonStopped, uid: str, **_: Any) -> None:
        waking = asyncio.create_task(_wake_when_stopped(stopped, meetings, uid))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(groups.run(body, lambda: bool(stopped)))
                both.create_task(pools.run(uid, lambda: bool(stopped)))
        finally:
            waking.cancel()

    async def changed(uid: str, type: str | None, event: Any, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        # kopf keeps the last event of every object; who set which field is the larger half of it.
        event["object"]["metadata"].pop("managedFields", None)
        if type == "DELETED":
            cleaner.forget(uid)
            meetings.drop(uid)
        elif meeting := meetings.find(uid):
            meeting.group.wake()

    async def deleted(body: Body, **_: Any) -> None:
        try:
            await cleaner.clean(body)
        except ApiError as error:
            raise kopf.TemporaryError(str(error), delay=5) from None

    where = (GROUP, VERSION, PLURAL)
    kopf.daemon(
        *where, registry=registry, id="loop", cancellation_backoff=_EXIT_SECONDS, cancellation_timeout=_EXIT_SECONDS
    )(follow)
    kopf.on.event(*where, registry=registry, id="changed")(changed)
    kopf.on.delete(*where, registry=registry, id="cleanup")(deleted)


async def _wake_when_stopped(stopped: kopf.DaemonStopped, meetings: Meetings, uid: str) -> None:
    await stopped.wait()
    if meeting := meetings.find(uid):
        meeting.group.wake()
        meeting.pool.wake()


def _children(registry: kopf.OperatorRegistry, meetings: Meetings) -> None:
    async def changed(labels: Mapping[str, str], **_: Any) -> None:
        if meeting := meetings.find(labels[LABEL_UID]):
            meeting.change_workers()

    ours = {LABEL_UID: kopf.PRESENT}
    kopf.on.event("apps", "v1", "deployments", registry=registry, id="deployment", labels=ours)(changed)
    kopf.on.event("", "v1", "pods", registry=registry, id="pod", labels=ours)(changed)


def _probe(registry: kopf.OperatorRegistry, connections: Connections) -> None:
    def sweeping(**_: Any) -> int:
        """Fails the liveness probe when a sweep has died: nothing would ever be counted again."""
        return connections.check()

    kopf.on.probe(registry=registry, id="sweeping", errors=kopf.ErrorsMode.PERMANENT)(sweeping)


def _exit(registry: kopf.OperatorRegistry, connections: Connections, stop: asyncio.Event) -> None:
    async def close(**_: Any) -> None:
        """kopf waits five seconds for whatever still runs: the sweeps, and its own waiter for the stop flag."""
        stop.set()
        await connections.close()

    kopf.on.cleanup(registry=registry, id="close")(close)
