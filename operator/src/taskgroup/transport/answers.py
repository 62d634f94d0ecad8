"""Reads the answers of a Redis that belongs to a tenant: bytes, elements and depth are bounded before memory is taken.

Neither redis-py's parsers nor hiredis have such bounds: thirteen bytes that announce an array of a thousand million
elements make them reserve the memory for it, and 60 MB of empty arrays become gigabytes of Python objects.
"""

import re
from typing import Any, Final

from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse

ELEMENT_BYTES = 128
"""What an element is counted as besides its own bytes: about what its Python object takes, with its place in a list."""
ARRAY_BYTES = 1024
"""What an array is counted as: there are few in an honest answer, and reading one takes longest."""
MAX_DEPTH = 4
"""EXEC answers with an array of the commands' answers; a script's answer may hold arrays of values."""
_MAX_LINE_BYTES = 65_536
_NUMBER = re.compile(rb"-?[0-9]{1,19}")
_CRLF = b"\r\n"
_DOLLAR, _COLON = b"$:"
_DIGITS = 18


class TooLongError(InvalidResponse):
    """The server sends more than its share."""


class Incomplete:
    """More bytes are needed."""


INCOMPLETE: Final = Incomplete()


class AnswerReader:
    """Bytes in, answers out. All answers to one request share a limit; `begin` starts the next request."""

    def __init__(self, limit_bytes: int) -> None:
        """`limit_bytes` is the most that the answers to one request may take, counted by `ELEMENT_BYTES`."""
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._at = 0
        self._arrays: list[tuple[list[Any], int]] = []
        self._text_bytes = -1
        """Length of the bulk string that is being read; -1 when there is none."""
        self._whole: Any = None
        self.taken_bytes = 0

    def begin(self) -> None:
        """The next request is sent; what was taken for former answers does not count any more."""
        self.taken_bytes = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is left over and no answer has begun."""
        return self._at == len(self._buffer) and not self._arrays and self._text_bytes < 0

    def feed(self, data: bytes) -> None:
        """Add what the server sent."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> Any:
        """One answer (bytes, int, None, list, or an exception as redis-py makes it), or INCOMPLETE.

        InvalidResponse for what is no RESP2, or more than its share.
        """
        while True:
            if self._arrays and self._text_bytes < 0:
                self._fill(*self._arrays[-1])
            value = self._text() if self._text_bytes >= 0 else self._element()
            if value is INCOMPLETE:
                return INCOMPLETE
            if value is not _OPENED and self._is_whole(value):
                return self._whole

    def _is_whole(self, value: Any) -> bool:
        """Put a value into its array, and whole arrays into theirs; whether that completes the answer."""
        while self._arrays:
            array, length = self._arrays[-1]
            array.append(value)
            if len(array) < length:
                return False
            value = self._arrays.pop()[0]
        self._whole = value
        return True

    def _fill(self, array: list[Any], length: int) -> None:
        """Read texts and numbers into an array, all but its last: what `_element` does, at a fifth of the time."""
        buffer, at, size = self._buffer, self._at, 0
        while len(array) < length - 1 and (end := buffer.find(_CRLF, at)) > 0:
            number = buffer[at + 1 : end]
            if not number.isdigit() or len(number) > _DIGITS:
                break
            if buffer[at] == _COLON:
                array.append(int(number))
                at = end + 2
                continue
            begin, stop = end + 2, end + 2 + int(number)
            if buffer[at] != _DOLLAR or len(buffer) < stop + 2:
                break
            array.append(bytes(buffer[begin:stop]))
            at, size = stop + 2, size + stop - begin
        self._at = at
        self._take(size)

    def _element(self) -> Any:
        line = self._line()
        if line is None:
            return INCOMPLETE
        kind, rest = line[:1], line[1:]
        if not self._arrays:
            self._take(ELEMENT_BYTES)
        if kind == b"$":
            return self._open_text(_number(rest))
        if kind == b":":
            return _number(rest)
        if kind == b"*":
            return self._open_array(_number(rest))
        return self._short(kind, rest)

    def _short(self, kind: bytes, rest: bytes) -> Any:
        self._take(len(rest))
        if kind == b"+":
            return rest
        if kind == b"-":
            return DefaultParser.parse_error(rest.decode(errors="replace"))  # type: ignore[no-untyped-call]
        raise InvalidResponse("the answer is not in Redis's protocol")

    def _line(self) -> bytes | None:
        end = self._buffer.find(_CRLF, self._at)
        if end < 0 and len(self._buffer) - self._at <= _MAX_LINE_BYTES:
            return None
        if end < 0 or end - self._at > _MAX_LINE_BYTES:
            raise TooLongError("a line of the answer is too long")
        line = bytes(self._buffer[self._at : end])
        self._at = end + len(_CRLF)
        return line

    def _open_text(self, length: int) -> Any:
        if length < 0:
            return None
        self._take(length)
        self._text_bytes = length
        return self._text()

    def _text(self) -> Any:
        end = self._at + self._text_bytes
        if len(self._buffer) < end + len(_CRLF):
            return INCOMPLETE
        # A slice of the buffer would be a second copy.
        with memoryview(self._buffer) as view:
            text = bytes(view[self._at : end])
        self._at, self._text_bytes = end + len(_CRLF), -1
        return text

    def _open_array(self, length: int) -> Any:
        if length < 0:
            return None
        self._take(ARRAY_BYTES + length * ELEMENT_BYTES)
        if not length:
            return []
        if len(self._arrays) >= MAX_DEPTH:
            raise InvalidResponse("the answer is nested too deeply")
        self._arrays.append(([], length))
        return _OPENED

    def _take(self, size: int) -> None:
        self.taken_bytes += size
        if self.taken_bytes > self._limit:
            raise TooLongError("the answer is too long")


_OPENED: Final = Incomplete()


def _number(text: bytes) -> int:
    if not _NUMBER.fullmatch(text):
        raise InvalidResponse("the answer holds a number that is none")
    return int(text)
