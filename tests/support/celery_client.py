"""A client of Celery that leaves nothing behind: neither its `close` nor its results' end close a connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kombu.pools
from celery import Celery


@contextmanager
def celery_client(url: str) -> Iterator[Celery]:
    """For a Redis that is broker and result backend.

    All of its connections are closed at the end: else the collector would close them, and warn, in a later test.
    """
    with Celery(broker=url, backend=url, set_as_current=False) as client:
        try:
            yield client
        finally:
            _close_results(client.backend)
            kombu.pools.reset()  # type: ignore[no-untyped-call]


def _close_results(backend: Any) -> None:
    consumer = backend.result_consumer
    consumer.stop()
    # A result that is collected after this would connect once more, to end its subscription.
    consumer.subscribed_to.clear()
    backend.client.connection_pool.disconnect()
