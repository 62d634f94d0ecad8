"""Serves /metrics on a port of its own: who may scrape need not reach the probes. A standby serves it, too.

The text is made in a thread, one scrape at a time: a thousand groups have tens of thousands of series, and the event
loop that leads the groups must not wait for them.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from taskgroup.cluster.access_review import Access

Check = Callable[[str], Awaitable[Access]]
"""Whether the bearer of a token may read the metrics."""
PATH = "/metrics"
_RELOAD_SECONDS = 60.0
_CLOSE_SECONDS = 0.5
_log = logging.getLogger(__name__)
_SCHEME = "Bearer "


class MetricsServer:
    """Prometheus' text format, or OpenMetrics where the client asks for it. Port 0: not served.

    An empty address means all addresses of the pod, IPv4 and IPv6. With `check`, a request needs a bearer token. With
    `certificates`, a folder with tls.crt and tls.key, TLS is spoken; new files are read within a minute.
    """

    def __init__(
        self,
        address: str,
        port: int,
        registry: CollectorRegistry,
        check: Check | None = None,
        certificates: str = "",
    ) -> None:
        self._address = address
        self._port = port
        self._registry = registry
        self._check = check
        self._certificates = Path(certificates) if certificates else None
        self._reloading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        app = web.Application()
        app.add_routes([web.get(PATH, self._metrics)])
        self._runner = web.AppRunner(
            app, handle_signals=False, keepalive_timeout=0, shutdown_timeout=_CLOSE_SECONDS, access_log=None
        )

    async def __aenter__(self) -> Self:
        """RuntimeError when the port cannot be opened, or the certificate not be read."""
        await self._runner.setup()
        try:
            if self._port:
                tls = self._tls()
                await web.TCPSite(self._runner, self._address or None, self._port, ssl_context=tls).start()
        except OSError as error:
            await self._runner.cleanup()
            text = (
                f"The metrics cannot be served on port {self._port}: {error}; set another"
                " TASKGROUP_METRICS_PORT, or mend tls.crt and tls.key in TASKGROUP_METRICS_CERTIFICATES."
            )
            raise RuntimeError(text) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reloading is not None:
            self._reloading.cancel()
        await self._runner.cleanup()

    def _tls(self) -> ssl.SSLContext | None:
        """ssl.SSLError, which is an OSError, for files that are no certificate and its key."""
        if self._certificates is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._load(context, self._certificates)
        self._reloading = asyncio.create_task(self._reload(context, self._certificates))
        return context

    @staticmethod
    def _load(context: ssl.SSLContext, folder: Path) -> None:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    async def _reload(self, context: ssl.SSLContext, folder: Path) -> None:
        """A certificate is replaced long before it ends; while the new files do not fit the old ones serve."""
        while True:
            await asyncio.sleep(_RELOAD_SECONDS)
            try:
                self._load(context, folder)
            except OSError as error:
                _log.warning("The certificate of the metrics in %s cannot be read: %s.", folder, error)

    async def _metrics(self, request: web.Request) -> web.Response:
        if self._check is not None:
            _refuse(await self._access(request, self._check))
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        async with self._one_at_a_time:
            body = await asyncio.to_thread(encode, self._registry)
        response = web.Response(body=body, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    @staticmethod
    async def _access(request: web.Request, check: Check) -> Access:
        header = request.headers.get("Authorization", "")
        return await check(header.removeprefix(_SCHEME)) if header.startswith(_SCHEME) else Access.UNKNOWN


def _refuse(access: Access) -> None:
    """Raises the answer to a request that is not allowed."""
    if access is Access.UNKNOWN:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="A bearer token is needed.\n")
    if access is Access.DENIED:
        raise web.HTTPForbidden(text=f"The token's user may not get {PATH}.\n")
