"""What goes over the connection to the Kubernetes API, as the client reads it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson

from taskgroup.cluster.errors import ApiError


@contextmanager
def api_errors(action: str, seconds: float) -> Iterator[None]:
    """What the connection raises, as ApiError."""
    try:
        yield
    except TimeoutError:
        raise ApiError(f"The Kubernetes API did not answer within {seconds:g} s ({action}).") from None
    except (aiohttp.ClientError, OSError) as error:
        raise ApiError(f"The Kubernetes API cannot be reached ({action}): {error}.") from None


def proxy_of(server: str) -> str | None:
    """The proxy that the environment names for a URL; None without one.

    Asked once: the client's own way reads environment and ~/.netrc again for every request, in threads.
    """
    parts = urlsplit(server)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; the reader's own are bounded below the size of an object."""
    rest: list[bytes] = []
    async for chunk in content.iter_any():
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line])
            rest = []
        rest.append(last)


def decoded(data: bytes) -> dict[str, Any]:
    """A JSON object."""
    try:
        content: dict[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson reads 1,024 levels of nesting, and the API server allows 10,000.
        content = json.loads(data)
    return content
