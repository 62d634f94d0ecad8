"""A Lease that lets one operator work at a time. An operator that loses it must end.

Another holder counts as dead when its record has not changed for the whole lease time, measured by the clock of this
process. Clocks of two nodes are never compared.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError, ConflictError, NotFoundError
from taskgroup.cluster.resources import LEASES

_log = logging.getLogger(__name__)


POLL_SECONDS = 1.0
"""How often a standby looks: a Lease that is released is taken within about this time."""
RELEASE_SECONDS = 1.0
_LATE_SECONDS = 0.01


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
        self._expires = 0.0
        self._held_until = 0.0
        self._may_be_held = False
        self._released = False
        self.trouble = "The Lease has not been asked for."
        """Why this process could not take the Lease, were it free; empty when it could."""

    async def acquire(self, stop: asyncio.Event | None = None) -> bool:
        """Wait until this process holds the Lease. False when `stop` is set before.

        The cause of the delay is logged when it changes.
        """
        logged, stop = "", stop or asyncio.Event()
        while not stop.is_set():
            error = await self._attempt(None)
            self.trouble = error.message if error and not isinstance(error, _HeldByAnotherError) else ""
            if error is None:
                return True
            if error.message != logged:
                logged = error.message
                _log.info("Waiting for the Lease %s/%s: %s", self._namespace, self._name, error.message)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause())
        return False

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
        """Give up the Lease, so that the next operator starts at once. Call it after the last write.

        Takes a second at most; a Lease that cannot be released in that time runs out.
        """
        self._held_until = 0.0
        self._released = True
        if not self._may_be_held:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                while not await self._freed():
                    pass
        except (ApiError, TimeoutError) as error:
            text = str(error) or f"the Kubernetes API did not answer within {RELEASE_SECONDS:g} s."
            _log.warning("The Lease %s/%s was not released: %s", self._namespace, self._name, text)

    async def _freed(self) -> bool:
        """False when a renewal that was still under way came between."""
        lease = await self._cluster.get(LEASES, self._namespace, self._name)
        if lease["spec"].get("holderIdentity") != self._identity:
            return True
        lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._cluster.replace(LEASES, lease)
        except ConflictError:
            return False
        return True

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
            self._begin_to_write()
            await self._cluster.create(LEASES, self._namespace, body)
            return
        spec: Object = lease.get("spec") or {}
        holder = spec.get("holderIdentity")
        if holder and holder != self._identity and not self._is_expired(spec):
            raise _HeldByAnotherError(f"{holder} holds it.")
        self._begin_to_write()
        await self._cluster.replace(LEASES, {**lease, "spec": self._record(spec)})

    def _begin_to_write(self) -> None:
        """A renewal that is still under way must not take what has just been released."""
        if self._released:
            raise ApiError("it has been released.")
        self._may_be_held = True

    def _is_expired(self, spec: Object) -> bool:
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._last_record[0]:
            self._last_record = (record, _now())
        self._expires = self._last_record[1] + float(spec.get("leaseDurationSeconds") or self._seconds)
        return _now() > self._expires

    def _pause(self) -> float:
        """Until the next look, in seconds: sooner when the holder's time is over by then."""
        remaining = self._expires - _now()
        return min(POLL_SECONDS, remaining + _LATE_SECONDS) if remaining > 0 else POLL_SECONDS

    def _record(self, old: Object) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        new = {"holderIdentity": self._identity, "leaseDurationSeconds": max(1, round(self._seconds)), "renewTime": now}
        if old.get("holderIdentity") == self._identity:
            return {**old, **new}
        return {**new, "acquireTime": now, "leaseTransitions": int(old.get("leaseTransitions") or 0) + 1}


def _now() -> float:
    return asyncio.get_running_loop().time()
