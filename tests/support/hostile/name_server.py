"""A name server that knows the names of one domain, and never answers what it is asked about others."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HONEST = "honest.example"
"""Every name in it is this machine's."""
_HEAD, _TYPE_AND_CLASS = 12, 4
_IS_ANSWER, _COMPRESSED_NAME, _IPV4, _INTERNET = b"\x81\x80", b"\xc0\x0c", b"\x00\x01", b"\x00\x01"
_UNTIL = b"\x00\x00\x00\x01"
"""Seconds for which an answer may be kept."""
_HERE = b"\x00\x04\x7f\x00\x00\x01"


@dataclass(slots=True)
class NameServer:
    """On a loopback port of its own."""

    socket: socket.socket
    unanswered: set[str] = field(default_factory=set)
    """Names that it was asked for and is silent about."""

    @property
    def port(self) -> int:
        """Of UDP."""
        return int(self.socket.getsockname()[1])

    def serve(self) -> None:
        """Until an empty datagram comes."""
        while True:
            question, client = self.socket.recvfrom(4096)
            if not question:
                return
            name, end = _name(question)
            if name.endswith(f".{HONEST}"):
                self.socket.sendto(_answer(question, end), client)
            else:
                self.unanswered.add(name)


def _name(question: bytes) -> tuple[str, int]:
    """The name that is asked for, and where the question ends."""
    labels, place = list[str](), _HEAD
    while length := question[place]:
        labels.append(question[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(labels).lower(), place + 1 + _TYPE_AND_CLASS


def _answer(question: bytes, end: int) -> bytes:
    kind = question[end - _TYPE_AND_CLASS : end - 2]
    records = [_COMPRESSED_NAME + _IPV4 + _INTERNET + _UNTIL + _HERE] if kind == _IPV4 else []
    counts = (1, len(records), 0, 0)
    head = question[:2] + _IS_ANSWER + b"".join(count.to_bytes(2, "big") for count in counts)
    return head + question[_HEAD:end] + b"".join(records)


@contextmanager
def name_server() -> Iterator[NameServer]:
    """One that serves until the end of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server = NameServer(listening)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.sendto(b"", listening.getsockname())
            thread.join()


def asked_by(server: NameServer, folder: Path) -> tuple[str, ...]:
    """A command whose last words become a process that asks this name server alone."""
    path = folder / "resolv.conf"
    path.write_text(f"nameserver 127.0.0.1:{server.port}\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(path))
