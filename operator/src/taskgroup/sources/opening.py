"""The bytes of a source: a file that Kubernetes has mounted, or what a URL answers; counted, digested and unpacked."""

import gzip
import hashlib
import http.client
import io
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from taskgroup.sources.formats import UnreadableError
from taskgroup.sources.places import S3Place

_SECONDS = 60.0
"""Longest silence of a server."""
_CHUNK = 65_536


class Source(Protocol):
    """Whatever has bytes."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end."""


class Digested(io.RawIOBase):
    """What is read through it is digested."""

    def __init__(self, source: Source) -> None:
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
def opened(place: str | S3Place, authority: str | None = None) -> Iterator[Digested]:
    """A path, an http URL or an object. UnreadableError when there is nothing to read, or when it ends too early.

    `authority` is a file with the certificates of who signs that of the server.
    """
    try:
        with _source(place, authority) as source:
            yield Digested(source)
    except FileNotFoundError as error:
        raise UnreadableError(f"There is no file {Path(error.filename).name!r}.") from None
    except urllib.error.HTTPError as error:
        raise UnreadableError(f"The URL answers {error.code} {error.reason}.") from None
    except urllib.error.URLError as error:
        raise UnreadableError(f"The URL cannot be reached: {_reason(error)}.") from None
    except (OSError, http.client.HTTPException, EOFError) as error:
        raise UnreadableError(f"It cannot be read to its end: {error or type(error).__name__}.") from None


@contextmanager
def _source(place: str | S3Place, authority: str | None) -> Iterator[Source]:
    if isinstance(place, S3Place):
        # Everybody who can read a source loads this module, the operator as well: the client alone takes 5 MB.
        from taskgroup.sources.s3 import opened_object

        with opened_object(place, _SECONDS, authority) as source:
            yield source
    elif place.startswith(("http://", "https://")):
        with _answer(place, authority) as answer:
            yield answer
    else:
        with Path(place).open("rb") as file:
            yield file


def _answer(url: str, authority: str | None) -> BinaryIO:
    """As it is sent: whoever asks for a .gz wants the file."""
    request = urllib.request.Request(url, headers={"User-Agent": "taskgroup", "Accept-Encoding": "identity"})  # noqa: S310 - the API server takes http and https alone
    context = _trust(authority) if authority else None
    answer: BinaryIO = urllib.request.urlopen(request, timeout=_SECONDS, context=context)  # noqa: S310 - as above
    return answer


def _trust(authority: str) -> ssl.SSLContext:
    """In these alone."""
    try:
        return ssl.create_default_context(cafile=authority)
    except ssl.SSLError:
        raise UnreadableError("spec.itemsFrom.caSecretKeyRef names no certificates in PEM form.") from None


def _reason(error: urllib.error.URLError) -> str:
    if isinstance(error.reason, ssl.SSLCertVerificationError):
        why = error.reason.verify_message
        return f"its certificate is not trusted ({why}): spec.itemsFrom.caSecretKeyRef can name who signs it"
    return str(error.reason)


def unpacked(source: Digested, name: str) -> BinaryIO:
    """The bytes of a file of this name: unpacked where it ends in .gz."""
    buffered = io.BufferedReader(source, _CHUNK)
    return io.BufferedReader(gzip.GzipFile(fileobj=buffered), _CHUNK) if name.endswith(".gz") else buffered
