"""What kopf calls: one daemon per TaskGroup, watchers that only ring bells, the cleanup. Only this knows kopf."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

import kopf

from taskgroup.api.names import FINALIZER, GROUP, LABEL_MANAGED_BY, LABEL_UID, MANAGER, PLURAL, VERSION
from taskgroup.cluster.errors import ApiError
from taskgroup.handlers.backends import Backends
from taskgroup.handlers.cleanup import Cleaner
from taskgroup.handlers.loop import Loops
from taskgroup.handlers.wakes import Bells

_OURS = f"{LABEL_MANAGED_BY}={MANAGER}"
_EXIT_SECONDS = 5.0

Body = Mapping[str, Any]


class _WithoutSpec(kopf.AnnotationsDiffBaseStorage):
    """kopf copies whole objects at every event, level by level; ours may have a million bytes and 10,000 levels."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        small: Any = {name: value for name, value in body.items() if name not in ("spec", "status")}
        return super().build(body=kopf.Body(small), extra_fields=extra_fields)


def operator_settings() -> kopf.OperatorSettings:
    """kopf's settings: no copies of specs in annotations, no events of its own, only our pods watched."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = FINALIZER
    # Without this kopf copies every spec into an annotation, which breaks large ones.
    settings.persistence.diffbase_storage = _WithoutSpec(prefix=GROUP, v1=False)
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
    loops: Loops,
    cleaner: Cleaner,
    bells: Bells,
    backends: Backends,
    kubeconfig: str | None,
    stop: asyncio.Event,
) -> kopf.OperatorRegistry:
    """Explicit registrations, so that importing this module does nothing."""
    registry = kopf.OperatorRegistry()
    _login(registry, kubeconfig)
    _task_groups(registry, loops, cleaner, bells)
    _children(registry, bells)
    _probe(registry, backends)
    _exit(registry, backends, stop)
    return registry


def _login(registry: kopf.OperatorRegistry, kubeconfig: str | None) -> None:
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if kubeconfig is None:
            return kopf.login_with_service_account(**kwargs)
        os.environ["KUBECONFIG"] = kubeconfig
        return kopf.login_with_kubeconfig(**kwargs)

    kopf.on.login(registry=registry, retries=3)(login)


def _task_groups(registry: kopf.OperatorRegistry, loops: Loops, cleaner: Cleaner, bells: Bells) -> None:
    async def follow(body: Body, stopped: kopf.DaemonStopped, uid: str, **_: Any) -> None:
        ringing = asyncio.create_task(_ring_when_stopped(stopped, bells, uid))
        try:
            await loops.run(body, lambda: bool(stopped))
        finally:
            ringing.cancel()

    async def changed(uid: str, type: str | None, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        if type == "DELETED":
            cleaner.forget(uid)
        elif bell := bells.find(uid):
            bell.ring()

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


async def _ring_when_stopped(stopped: kopf.DaemonStopped, bells: Bells, uid: str) -> None:
    await stopped.wait()
    if bell := bells.find(uid):
        bell.ring()


def _children(registry: kopf.OperatorRegistry, bells: Bells) -> None:
    async def changed(labels: Mapping[str, str], **_: Any) -> None:
        if bell := bells.find(labels[LABEL_UID]):
            bell.ring_workers()

    ours = {LABEL_UID: kopf.PRESENT}
    kopf.on.event("apps", "v1", "deployments", registry=registry, id="deployment", labels=ours)(changed)
    kopf.on.event("", "v1", "pods", registry=registry, id="pod", labels=ours)(changed)


def _probe(registry: kopf.OperatorRegistry, backends: Backends) -> None:
    def sweeping(**_: Any) -> int:
        """Fails the liveness probe when a sweep has died: nothing would ever be counted again."""
        return backends.check()

    kopf.on.probe(registry=registry, id="sweeping", errors=kopf.ErrorsMode.PERMANENT)(sweeping)


def _exit(registry: kopf.OperatorRegistry, backends: Backends, stop: asyncio.Event) -> None:
    async def close(**_: Any) -> None:
        """kopf waits five seconds for whatever still runs: the sweeps, and its own waiter for the stop flag."""
        stop.set()
        await backends.close()

    kopf.on.cleanup(registry=registry, id="close")(close)
