"""What a TLS connection keeps in memory: there may be a thousand brokers."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from typing import Any

import pytest

from taskgroup.transport.tls import BUFFER_BYTES, spare_buffers


async def test_a_connection_keeps_a_small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own is of 256 KiB, which is in memory from the beginning."""
    monkeypatch.setattr(SSLProtocol, "max_size", SSLProtocol.max_size)
    spare_buffers()

    loop = asyncio.get_running_loop()
    connection: Any = SSLProtocol(loop, asyncio.Protocol(), ssl.create_default_context(), loop.create_future())

    assert len(connection._ssl_buffer) == BUFFER_BYTES  # noqa: SLF001
