"""`python -m taskgroup.sources.read`: one source, read once, into the group's Redis. See `core/items/handover.py`.

What is wrong with the source is written down for the operator, and the program ends well; what is wrong with Redis ends
it badly, and Kubernetes starts it again.
"""

import json
import os
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from redis import Redis

from taskgroup.api.items_from import ItemsFormat
from taskgroup.api.spec import MAX_COUNT
from taskgroup.core.items.handover import HEAD, MAX_BYTES, Head, Pieces
from taskgroup.sources.formats import UnreadableError, format_of, items_in
from taskgroup.sources.opening import opened, unpacked
from taskgroup.sources.places import S3Place

REQUEST = "TASKGROUP_ITEMS"
"""Variable with the request, as JSON."""
BROKER_URL = "CELERY_BROKER_URL"
KEEP_SECONDS = 30 * 86_400
"""For a group whose deletion nobody notices; one that runs longer is read anew after a restart of the operator."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, and where it goes."""

    place: str
    """A path or a URL."""
    name: str
    """Its end tells the format, and whether it is packed."""
    source: str
    """See Head."""
    key: str
    format: ItemsFormat | None = None
    sha256: str | None = None
    certificates: str | None = None
    """Folder with the broker's certificates."""
    authority: str | None = None
    """File with the certificates of who signs that of the server."""
    s3: S3Place | None = None
    """In place of `place`."""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Request":
        """As the variable has it."""
        s3 = fields.get("s3")
        return cls(**fields | {"s3": S3Place(**s3) if s3 else None})


class Store(Protocol):
    """What is needed of a Redis client."""

    def delete(self, *names: str) -> Any:
        """See redis-py."""

    def hset(self, name: str, key: str, value: bytes) -> Any:
        """See redis-py."""

    def expire(self, name: str, time: int) -> Any:
        """See redis-py."""


def read(request: Request, store: Store) -> Head:
    """All items of the source are in the store then, or why they cannot be."""
    store.delete(request.key)
    try:
        head = _read(request, store)
    except UnreadableError as error:
        store.delete(request.key)
        head = Head(request.source, error=str(error))
    store.hset(request.key, HEAD, head.encode())
    store.expire(request.key, KEEP_SECONDS)
    return head


def _read(request: Request, store: Store) -> Head:
    kind, pieces = request.format or format_of(request.name), Pieces()
    with opened(request.s3 or request.place, request.authority) as source:
        for item in items_in(unpacked(source, request.name), kind):
            _keep(store, request.key, pieces, _added(pieces, item))
        _keep(store, request.key, pieces, pieces.rest())
        found = source.sha256()
    if request.sha256 and request.sha256 != found:
        raise UnreadableError(f"Its sha256 is {found}, and spec.itemsFrom.sha256 is {request.sha256}.")
    if not pieces.count:
        raise UnreadableError("It has no items.")
    return pieces.head(request.source)


def _added(pieces: Pieces, item: Any) -> bytes | None:
    if pieces.count >= MAX_COUNT:
        raise UnreadableError(f"It has more than {MAX_COUNT:,} items: make several TaskGroups.")
    try:
        return pieces.add(item)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"Item {pieces.count} cannot be handed on: {error}.") from None


def _keep(store: Store, key: str, pieces: Pieces, piece: bytes | None) -> None:
    if piece is None:
        return
    if pieces.total_bytes > MAX_BYTES:
        raise UnreadableError(f"Its items have over {MAX_BYTES:,} bytes, compressed: pass large data by reference.")
    store.hset(key, str(len(pieces.starts) - 1), piece)
    store.expire(key, KEEP_SECONDS)


def _client(url: str, certificates: str | None) -> "Redis":
    """As the workers reach it."""
    options: dict[str, Any] = {"socket_timeout": 30, "socket_connect_timeout": 10}
    if certificates:
        files = {"ssl_ca_certs": "ca.crt", "ssl_certfile": "tls.crt", "ssl_keyfile": "tls.key"}
        options |= {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        options |= {name: str(path) for name, file in files.items() if (path := Path(certificates) / file).exists()}
    client: Redis = Redis.from_url(url.split("?")[0], **options)
    return client


def main() -> None:
    """What the pod does."""
    request = Request.of(json.loads(os.environ[REQUEST]))
    head = read(request, _client(os.environ[BROKER_URL], request.certificates))
    text = head.error or f"{head.count} items were read."
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
