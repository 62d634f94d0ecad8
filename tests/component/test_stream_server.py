"""The tests' own server closes what it accepted, whenever it ends."""

import socket
from contextlib import ExitStack

import pytest

from support.hostile.servers import deaf
from support.stream_server import stream_server


@pytest.mark.parametrize("count", [1, 2, 20])
def test_what_was_accepted_a_moment_before_the_end_is_closed(count: int) -> None:
    """An open socket would be told by the collector, after this test."""
    for _ in range(50):
        with ExitStack() as clients, stream_server(deaf) as port:
            for _ in range(count):
                clients.enter_context(socket.create_connection(("127.0.0.1", port)))
