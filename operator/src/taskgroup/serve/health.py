"""The probes of the operator's pod: whether the container must be restarted, and whether it could lead.

They are answered by the event loop that does the work, from before its first wait to its end: a loop that is held does
not answer, and the kubelet restarts the container.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from aiohttp import web

_CLOSE_SECONDS = 0.5


class Role(StrEnum):
    """What the process does about the Lease."""

    STANDBY = "standby"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of both probes."""

    role: Role
    broken: str = ""
    """Why only a restart helps; empty when none is needed."""
    unready: str = ""
    """Why the process could not lead now; empty when it leads or could."""


class HealthServer:
    """Serves /healthz (500 when broken) and /readyz (503 when not ready); the body of both is the Health as JSON.

    An empty address means all addresses of the pod, IPv4 and IPv6.
    """

    def __init__(self, address: str, port: int, look: Callable[[], Health]) -> None:
        self._address = address
        self._port = port
        self._look = look
        app = web.Application()
        app.add_routes([web.get("/healthz", self._live), web.get("/readyz", self._ready)])
        # No connection stays open: one that did would hold up the end of the process.
        self._runner = web.AppRunner(
            app, handle_signals=False, keepalive_timeout=0, shutdown_timeout=_CLOSE_SECONDS, access_log=None
        )

    async def __aenter__(self) -> Self:
        """RuntimeError when the port cannot be opened."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address or None, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            text = f"The probes cannot be served on port {self._port}: {error}; set another TASKGROUP_HEALTH_PORT."
            raise RuntimeError(text) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        health = self._look()
        return web.json_response(asdict(health), status=500 if health.broken else 200)

    async def _ready(self, _: web.Request) -> web.Response:
        health = self._look()
        return web.json_response(asdict(health), status=503 if health.broken or health.unready else 200)
