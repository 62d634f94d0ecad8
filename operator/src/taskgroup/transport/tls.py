"""The TLS context of a connection, from the URL and from what Secrets hold; it reads no file that a tenant names."""

import os
import ssl
import sys
import tempfile
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from taskgroup.transport.url import RedisURL

BUFFER_BYTES = 64 * 1024
"""That a TLS connection keeps for what it reads."""
_MOST_BYTES = 512 * 1024
"""Of one PEM text: twice what all public authorities take together."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts; empty ones are absent. Holds a private key: never logged."""

    authority: str = field(default="", repr=False)
    """Who signs the server's certificate; empty for the public authorities."""
    client: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)


PLAIN = Certificates()


def spare_buffers() -> None:
    """Let TLS connections of this process, whoever opens them, take a quarter of the memory that asyncio gives each.

    A record has 16 KiB at most. There are 28 connections to the API server, and some to each broker of a tenant.
    """
    SSLProtocol.max_size = BUFFER_BYTES


def context(url: RedisURL, certificates: Certificates) -> ssl.SSLContext | None:
    """None for a connection without TLS. ValueError with a sentence for what cannot work together."""
    if not url.is_tls:
        if certificates != PLAIN:
            raise ValueError("The URL must begin with rediss:// because certificates are given for it.")
        return None
    if certificates != PLAIN and url.has_tls_options:
        raise ValueError("Remove the ssl_ options from the URL: certificates are given for it, and they are checked.")
    authority = _bounded(certificates.authority, "caSecretKeyRef") or None
    try:
        made = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise ValueError("The certificate in caSecretKeyRef cannot be read; store it there in PEM form.") from None
    made.check_hostname = url.check_hostname
    made.verify_mode = url.verify
    if certificates.client:
        _present(made, certificates)
    return made


def _bounded(text: str, where: str) -> str:
    if len(text) > _MOST_BYTES:
        raise ValueError(f"The text in {where} is longer than {_MOST_BYTES} bytes; store the certificates alone there.")
    return text


def _present(made: ssl.SSLContext, certificates: Certificates) -> None:
    """OpenSSL takes a client's certificate from a file only: one in memory, or that no other user can read."""
    text = _bounded(certificates.client, "clientCertificateSecretRef") + "\n" + certificates.client_key
    with _private_file() as (file, path):
        file.write(text)
        file.flush()
        try:
            made.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError, OSError):
            raise ValueError(
                "The certificate in clientCertificateSecretRef cannot be used; store it as tls.crt and its unencrypted"
                " private key as tls.key, both in PEM form."
            ) from None


@contextmanager
def _private_file() -> Iterator[tuple[IO[str], str]]:
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("client"), "w") as file:
            yield file, f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w") as file:
            yield file, file.name


def _no_password() -> str:
    """OpenSSL would ask for it on the terminal."""
    raise ValueError("the key is encrypted")
