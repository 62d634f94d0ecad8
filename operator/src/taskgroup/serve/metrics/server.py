"""Serves /metrics on a port of its own: who may scrape need not reach the probes. A standby serves it, too.

The text is made in a thread, one scrape at a time: a thousand groups have tens of thousands of series, and the event
loop that leads the groups must not wait for them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

MayRead = Callable[[str], Awaitable[bool]]
"""Whether the bearer of a token may read the metrics."""
_CLOSE_SECONDS = 0.5
_SCHEME = "Bearer "


class MetricsServer:
    """Prometheus' text format, or OpenMetrics where the client asks for it. Port 0: not served.

    An empty address means all addresses of the pod, IPv4 and IPv6. With `may_read`, a request needs a bearer token.
    """

    def __init__(self, address: str, port: int, registry: CollectorRegistry, may_read: MayRead | None = None) -> None:
        self._address = address
        self._port = port
        self._registry = registry
        self._may_read = may_read
        self._one_at_a_time = asyncio.Lock()
        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(
            app, handle_signals=False, keepalive_timeout=0, shutdown_timeout=_CLOSE_SECONDS, access_log=None
        )

    async def __aenter__(self) -> Self:
        """RuntimeError when the port cannot be opened."""
        await self._runner.setup()
        try:
            if self._port:
                await web.TCPSite(self._runner, self._address or None, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            text = f"The metrics cannot be served on port {self._port}: {error}; set another TASKGROUP_METRICS_PORT."
            raise RuntimeError(text) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        if self._may_read is not None and not await self._is_allowed(request, self._may_read):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="A bearer token is needed.\n")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        async with self._one_at_a_time:
            body = await asyncio.to_thread(encode, self._registry)
        response = web.Response(body=body, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    @staticmethod
    async def _is_allowed(request: web.Request, may_read: MayRead) -> bool:
        header = request.headers.get("Authorization", "")
        return header.startswith(_SCHEME) and await may_read(header.removeprefix(_SCHEME))
