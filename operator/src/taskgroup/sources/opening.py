"""The bytes of a source: a file that Kubernetes has mounted, or what a URL answers; counted, digested and unpacked."""

import gzip
import hashlib
import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from taskgroup.sources.formats import UnreadableError

_SECONDS = 60.0
"""Longest silence of a server."""
_CHUNK = 65_536


class Digested(io.RawIOBase):
    """What is read through it is digested."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "memoryview[int] | bytearray") -> int:  # type: ignore[override]
        """See RawIOBase."""
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        return len(data)

    def sha256(self) -> str:
        """Of all, also of what nobody has asked for yet."""
        while data := self._read(_CHUNK):
            self._digest.update(data)
        return self._digest.hexdigest()

    def _read(self, size: int) -> bytes:
        """http.client says nothing when a server sends less than it has announced."""
        data = self._source.read(size)
        if not data and getattr(self._source, "length", None):
            raise EOFError("the server has sent less than it announced")
        return data


@contextmanager
def opened(place: str) -> Iterator[Digested]:
    """A path, or an http URL. UnreadableError when there is nothing to read, or when it ends too early."""
    try:
        if place.startswith(("http://", "https://")):
            with _answer(place) as answer:
                yield Digested(answer)
        else:
            with Path(place).open("rb") as file:
                yield Digested(file)
    except FileNotFoundError:
        raise UnreadableError(f"There is no file {Path(place).name!r}.") from None
    except urllib.error.HTTPError as error:
        raise UnreadableError(f"The URL answers {error.code} {error.reason}.") from None
    except urllib.error.URLError as error:
        raise UnreadableError(f"The URL cannot be reached: {error.reason}.") from None
    except (OSError, http.client.HTTPException, EOFError) as error:
        raise UnreadableError(f"It cannot be read to its end: {error or type(error).__name__}.") from None


def _answer(url: str) -> BinaryIO:
    """As it is sent: whoever asks for a .gz wants the file."""
    request = urllib.request.Request(url, headers={"User-Agent": "taskgroup", "Accept-Encoding": "identity"})  # noqa: S310 - the API server takes http and https alone
    answer: BinaryIO = urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310 - as above
    return answer


def unpacked(source: Digested, name: str) -> BinaryIO:
    """The bytes of a file of this name: unpacked where it ends in .gz."""
    buffered = io.BufferedReader(source, _CHUNK)
    return io.BufferedReader(gzip.GzipFile(fileobj=buffered), _CHUNK) if name.endswith(".gz") else buffered
