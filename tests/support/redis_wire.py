"""Answers as Redis sends them."""

from typing import Any


def wire(value: Any) -> bytes:
    """In RESP 2: None, a number, bytes, a list of such, or a text that is sent as it stands, as one line."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, str):
        return b"%b\r\n" % value.encode()
    return b"*%d\r\n" % len(value) + b"".join(map(wire, value))
