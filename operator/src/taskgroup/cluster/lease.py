"""A Lease that lets one operator work at a time. An operator that loses it must end.

Another holder counts as dead when its record has not changed for the whole lease time, measured by the clock of this
process. Clocks of two nodes are never compared.
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
    """Another process holds the Lease, and its lease time is not over."""


class Lease:
    """A Lease object in the operator's namespace.

    `identity` is the pod's name, so that a container that restarts in the same pod holds the Lease at once. `seconds`
    is the lease time: others wait that long after the last renewal, and a holder that cannot renew gives up after two
    thirds of it.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str, seconds: float = 15.0) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seconds = seconds
        self._last_record: tuple[object, float] = (None, 0.0)
        self._held_until = 0.0

    async def acquire(self) -> None:
        """Wait until this process holds the Lease. The cause of the delay is logged when it changes."""
        logged = ""
        while (error := await self._attempt(None)) is not None:
            if error.message != logged:
                logged = error.message
                _log.info("Waiting for the Lease %s/%s: %s", self._namespace, self._name, error.message)
            await asyncio.sleep(self._seconds / 5)

    async def keep(self, lost: Callable[[str], None], hindrance: Callable[[], str] = str) -> None:
        """Renew the Lease until it is lost, then call `lost` once with a sentence and return.

        While `hindrance` returns a reason instead of an empty text, the Lease is not renewed.
        """
        error: ApiError | None = ApiError("it was never held.")
        while (remaining := self._held_until - _now()) > 0:
            await asyncio.sleep(min(remaining, self._seconds / 5))
            reason = hindrance()
            error = ApiError(reason) if reason else await self._attempt(self._held_until)
            if isinstance(error, _HeldByAnotherError):
                break
        cause = error.message if error else "the lease time is over."
        lost(f"The Lease {self._namespace}/{self._name} is lost: {cause}")

    async def release(self) -> None:
        """Give up the Lease, so that the next operator starts at once. Call it after the last write."""
        self._held_until = 0.0
        try:
            lease = await self._cluster.get(LEASES, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._cluster.replace(LEASES, lease)
        except ApiError as error:
            _log.warning("The Lease %s/%s was not released: %s", self._namespace, self._name, error.message)

    async def _attempt(self, limit: float | None) -> ApiError | None:
        """Take or renew the Lease and return None, or the error. `limit` is a time of the event loop's clock."""
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
            lease = await self._cluster.get(LEASES, self._namespace, self._name)
        except NotFoundError:
            body = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._record({})}
            await self._cluster.create(LEASES, self._namespace, body)
            return
        spec: Object = lease.get("spec") or {}
        holder = spec.get("holderIdentity")
        if holder and holder != self._identity and not self._is_expired(spec):
            raise _HeldByAnotherError(f"{holder} holds it.")
        await self._cluster.replace(LEASES, {**lease, "spec": self._record(spec)})

    def _is_expired(self, spec: Object) -> bool:
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._last_record[0]:
            self._last_record = (record, _now())
        return _now() - self._last_record[1] > float(spec.get("leaseDurationSeconds") or self._seconds)

    def _record(self, old: Object) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        new = {"holderIdentity": self._identity, "leaseDurationSeconds": max(1, round(self._seconds)), "renewTime": now}
        if old.get("holderIdentity") == self._identity:
            return {**old, **new}
        return {**new, "acquireTime": now, "leaseTransitions": int(old.get("leaseTransitions") or 0) + 1}


def _now() -> float:
    return asyncio.get_running_loop().time()
