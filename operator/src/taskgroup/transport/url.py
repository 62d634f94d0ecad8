"""Parses the Redis URLs in Secrets."""

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_SCHEMES = {"redis": 6379, "rediss": 6379}
_CERTIFICATES = {
    "required": ssl.CERT_REQUIRED, "cert_required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL, "cert_optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE, "cert_none": ssl.CERT_NONE,
}  # fmt: skip
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, slots=True)
class RedisURL:
    """The parts of a Redis URL. Its repr does not contain the password."""

    scheme: str
    host: str
    port: int
    database: int
    username: str | None
    password: str | None = field(repr=False)
    tls: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """`redis://host:port/0`, without credentials, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"


def parse(url: str) -> RedisURL:
    """Parse the URL of one Redis. Raises ValueError with a sentence for the user when it is not valid."""
    parts = _split(url.strip())
    return RedisURL(
        scheme=parts.scheme,
        host=unquote(parts.hostname or "localhost"),
        port=_port(parts),
        database=_database(parts),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=_tls(parts) if parts.scheme == "rediss" else {},
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("The URL cannot be read; it must look like redis://:password@host:6379/0.") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError("The URL must begin with redis:// or rediss://; other transports are not supported.")
    if "," in parts.netloc or ";" in url:
        raise ValueError("The URL must name one Redis; lists of addresses are not supported.")
    return parts


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _SCHEMES[parts.scheme]
    except ValueError:
        raise ValueError(
            "The port in the URL is not a number below 65536; percent-encode '/', ':', '@' and '#' in the password."
        ) from None


def _database(parts: SplitResult) -> int:
    text = parts.path.strip("/")
    if text and not text.isdecimal():
        raise ValueError("The URL must end in a database number, as in redis://host:6379/0.")
    return int(text or 0)


def _tls(parts: SplitResult) -> dict[str, Any]:
    """redis-py's TLS arguments, from the query parameters that Celery reads as well."""
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    requirement = query.get("ssl_cert_reqs", "required").lower()
    if requirement not in _CERTIFICATES:
        raise ValueError("ssl_cert_reqs in the URL must be required, optional or none.")
    options: dict[str, Any] = {name: query[name] for name in _FILES if name in query}
    options["ssl_cert_reqs"] = _CERTIFICATES[requirement]
    options["ssl_check_hostname"] = requirement.endswith("required") and query.get("ssl_check_hostname") != "false"
    return options
