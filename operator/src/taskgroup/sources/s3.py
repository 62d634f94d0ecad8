"""An object of an S3 server, as a stream: what is wrong is said in the words of whoever named it in the spec."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import S3Store

from taskgroup.sources.formats import UnreadableError
from taskgroup.sources.places import S3Place

_PART = 256 * 1024
"""Bytes that are asked for at once."""
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_OF_SYSTEM = re.compile(r'(?:message|error): "([^"]+)"')
_SENTENCES = {
    "NoSuchBucket": "There is no bucket {bucket!r}.",
    "NoSuchKey": "There is no object {key!r} in the bucket {bucket!r}.",
    "AccessDenied": "The S3 server denies access to {key!r} in the bucket {bucket!r} {who}.",
    "InvalidAccessKeyId": "The S3 server does not know AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, as the S3 server says.",
}


class _Stream:
    """What `read` wants of a file."""

    def __init__(self, parts: Iterator[Any]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._rest:
            self._rest = memoryview(bytes(next(self._parts, b"")))
        data, self._rest = self._rest[:size], self._rest[size:]
        return bytes(data)


@contextmanager
def opened_object(place: S3Place, seconds: float, authority: str | None) -> Iterator[_Stream]:
    """Its bytes; credentials are in the environment. A cut connection is resumed only while the object is the same."""
    try:
        store = _store(place, seconds, authority)
        answer = obstore.get(store, place.key)
    except ValueError as error:
        raise UnreadableError(f"The key {place.key!r} cannot be asked for: {error}.") from None
    except (FileNotFoundError, BaseError) as error:
        raise UnreadableError(_sentence(str(error), place)) from None
    try:
        yield _Stream(iter(answer.stream(_PART)))
    except BaseError as error:
        if _has_changed(store, place.key, answer.meta["e_tag"]):
            raise UnreadableError(f"The object {place.key!r} has changed while it was read.") from None
        raise UnreadableError(f"It cannot be read to its end: {_reason(str(error))}.") from None


def _has_changed(store: S3Store, key: str, tag: str | None) -> bool:
    """Asked when a stream broke and could not be resumed: the library does not tell why."""
    try:
        obstore.get(store, key, options={"if_match": tag, "head": True})
    except PreconditionError:
        return True
    except (FileNotFoundError, BaseError):
        return False
    return False


def _store(place: S3Place, seconds: float, authority: str | None) -> S3Store:
    client: Any = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=seconds),
        "read_timeout": timedelta(seconds=seconds),
        # Of the whole answer: its length is nobody's business here.
        "timeout": timedelta(days=1),
    }
    if authority is not None:
        client["root_certificate"] = Path(authority).read_bytes()
    return S3Store(
        place.bucket,
        endpoint=place.endpoint.rstrip("/"),
        region=place.region,
        virtual_hosted_style_request=False,
        skip_signature="AWS_ACCESS_KEY_ID" not in os.environ,
        client_options=client,
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=seconds)},
    )


def _sentence(error: str, place: S3Place) -> str:
    """The library's text has what the server answered, or how the operating system names the trouble."""
    if code := _CODE.search(error):
        who = "with these credentials" if "AWS_ACCESS_KEY_ID" in os.environ else "without credentials"
        if known := _SENTENCES.get(code[1]):
            return known.format(bucket=place.bucket, key=place.key, who=who)
        said = _MESSAGE.search(error)
        return f"The S3 server answers {code[1]}: {said[1][:300] if said else ''}"
    if "InvalidCertificate" in error:
        return "The S3 server's certificate is signed by no known authority: name it in spec.itemsFrom.caSecretKeyRef."
    return f"The S3 server {place.endpoint} cannot be reached: {_reason(error)}."


def _reason(error: str) -> str:
    system = _OF_SYSTEM.search(error)
    return system[1] if system else error.partition("\n")[0][:300]
