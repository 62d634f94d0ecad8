"""One operator at a time: a Lease that a process must hold while it works, and whose loss must end it.

Whether another holder is dead is judged by this process's own clock: its record must stand unchanged for the whole
lease time. Clocks of two nodes are never compared.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError, NotFoundError
from taskgroup.cluster.resources import LEASES

_log = logging.getLogger(__name__)


class _HeldByAnotherError(ApiError):
    """Somebody else shows signs of life."""


class Lease:
    """The right to work, as an object of the operator's namespace.

    `identity` is the pod's name: a container that restarts in the same pod goes on at once. `seconds` is how long
    others wait after the last sign of life; the holder gives up after two thirds of that.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str, seconds: float = 15.0) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seconds = seconds
        self._seen: tuple[object, float] = (None, 0.0)
        self._held_until = 0.0

    async def acquire(self) -> None:
        """Wait until the Lease is ours. What stands in the way is logged once and tried again."""
        said = ""
        while (trouble := await self._attempt(None)) is not None:
            if trouble.message != said:
                said = trouble.message
                _log.info("Waiting for the Lease %s/%s: %s", self._namespace, self._name, said)
            await asyncio.sleep(self._seconds / 5)

    async def keep(self, lost: Callable[[str], None]) -> None:
        """Renew for ever; call `lost` with a sentence, once, as soon as the Lease is not surely ours."""
        trouble: ApiError | None = ApiError("it was never held.")
        while (left := self._held_until - _now()) > 0:
            await asyncio.sleep(min(left, self._seconds / 5))
            trouble = await self._attempt(self._held_until)
            if isinstance(trouble, _HeldByAnotherError):
                break
        lost(f"The Lease {self._namespace}/{self._name} is lost: {trouble.message if trouble else 'time is over.'}")

    async def release(self) -> None:
        """Let the next operator start at once; call it after the last write."""
        self._held_until = 0.0
        try:
            found = await self._cluster.get(LEASES, self._namespace, self._name)
            if found["spec"].get("holderIdentity") == self._identity:
                found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._cluster.replace(LEASES, found)
        except ApiError as error:
            _log.warning("The Lease %s/%s was not released: %s", self._namespace, self._name, error.message)

    async def _attempt(self, limit: float | None) -> ApiError | None:
        """Take or renew the Lease, until `limit` on the loop's clock; None when it worked."""
        started = _now()
        try:
            async with asyncio.timeout_at(limit):
                await self._take()
        except TimeoutError:
            return ApiError("the Kubernetes API did not answer in time.")
        except ApiError as error:
            return error
        self._held_until = started + self._seconds * 2 / 3
        return None

    async def _take(self) -> None:
        try:
            found = await self._cluster.get(LEASES, self._namespace, self._name)
        except NotFoundError:
            body = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._record({})}
            await self._cluster.create(LEASES, self._namespace, body)
            return
        spec: Object = found.get("spec") or {}
        holder = spec.get("holderIdentity")
        if holder and holder != self._identity and not self._is_expired(spec):
            raise _HeldByAnotherError(f"{holder} holds it.")
        await self._cluster.replace(LEASES, {**found, "spec": self._record(spec)})

    def _is_expired(self, spec: Object) -> bool:
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._seen[0]:
            self._seen = (record, _now())
        return _now() - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._seconds)

    def _record(self, old: Object) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        new = {"holderIdentity": self._identity, "leaseDurationSeconds": max(1, round(self._seconds)), "renewTime": now}
        if old.get("holderIdentity") == self._identity:
            return {**old, **new}
        return {**new, "acquireTime": now, "leaseTransitions": int(old.get("leaseTransitions") or 0) + 1}


def _now() -> float:
    return asyncio.get_running_loop().time()
