"""Ports for the servers of tests. Each is given to one of them, and to nobody's connection.

A server binds its port a second after it was found. By then the kernel may have given a port of its own range to a
connection, and a test that runs beside may have found the same one; a client that dials such a port while its server is
away may even meet itself.
"""

import fcntl
import os
import socket
import tempfile
from itertools import chain
from pathlib import Path

_FIRST, _LAST = 20_000, 29_999
"""Below those that the kernel gives itself: net.ipv4.ip_local_port_range."""
_GIVEN = Path(tempfile.gettempdir()) / f"taskgroup-tests-{os.getuid()}.port"
"""The last one that was given, to all tests of this user."""


def free_port() -> int:
    """A loopback port on which no process listens now; no other test is given it before all others were."""
    with _GIVEN.open("a+") as given:
        fcntl.flock(given, fcntl.LOCK_EX)
        given.seek(0)
        last = int(given.read() or _LAST)
        port = next(filter(is_free, chain(range(last + 1, _LAST + 1), range(_FIRST, _LAST + 1))))
        given.truncate(0)
        given.write(str(port))
    return port


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether no process listens on this port of a loopback address now."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) != 0
