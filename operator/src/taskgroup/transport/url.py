"""Parses the Redis URLs in Secrets. Whatever such a URL says, it names no file, and a message shows little of it."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_DEFAULT_PORT = 6379
_SCHEMES = ("redis", "rediss")
_MOST_CHARACTERS = 8192
"""Tokens of cloud providers are passwords of up to two thousand characters."""
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_DATABASE = re.compile(r"[0-9]{1,5}")
_REQUIREMENTS = {
    "required": ssl.CERT_REQUIRED, "cert_required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL, "cert_optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE, "cert_none": ssl.CERT_NONE,
}  # fmt: skip
_FILES = frozenset({"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"})
_OPTIONS = frozenset({"ssl_cert_reqs", "ssl_check_hostname"})


@dataclass(frozen=True, slots=True)
class RedisURL:
    """The parts of a Redis URL. Its repr does not contain the password."""

    scheme: str
    host: str
    port: int
    database: int
    username: str | None
    password: str | None = field(repr=False)
    verify: ssl.VerifyMode = ssl.CERT_REQUIRED
    """What is asked of the server's certificate, with rediss."""
    check_hostname: bool = True
    has_tls_options: bool = False

    @property
    def is_tls(self) -> bool:
        """The connection is encrypted."""
        return self.scheme == "rediss"

    @property
    def address(self) -> str:
        """`redis://host:port/0`, without credentials, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"


def parse(url: str) -> RedisURL:
    """Parse the URL of one Redis. Raises ValueError with a sentence for the user when it is not valid."""
    parts = _split(url.strip())
    host, port, database, options = _host(parts), _port(parts), _database(parts), _options(parts)
    requirement = options.get("ssl_cert_reqs", "required").lower()
    if requirement not in _REQUIREMENTS:
        raise ValueError("ssl_cert_reqs in the URL must be required, optional or none.")
    verify = _REQUIREMENTS[requirement]
    return RedisURL(
        parts.scheme,
        host,
        port,
        database,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        verify=verify,
        check_hostname=verify is ssl.CERT_REQUIRED and options.get("ssl_check_hostname", "true").lower() != "false",
        has_tls_options=bool(options),
    )


def in_namespace(url: str, namespace: str) -> str:
    """The URL as the operator can use it: a Service without its namespace is the one in `namespace`, as workers see it.

    Raises ValueError as `parse` does.
    """
    host = parse(url).host
    if "." in host or ":" in host or host == "localhost":
        return url.strip()
    parts = urlsplit(url.strip())
    userinfo, at, place = parts.netloc.rpartition("@")
    port = place[len(host) :] if parts.hostname else place
    return parts._replace(netloc=f"{userinfo}{at}{host}.{namespace}.svc{port}").geturl()


def _split(url: str) -> SplitResult:
    if len(url) > _MOST_CHARACTERS:
        raise ValueError(f"The URL has {len(url)} characters; at most {_MOST_CHARACTERS} are read.")
    if _CONTROL.search(url):
        raise ValueError("The URL contains a blank or control character; percent-encode it, or remove it.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("The URL cannot be read; it must look like redis://:password@host:6379/0.") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError("The URL must begin with redis:// or rediss://; other transports are not supported.")
    if set(",;") & set(url.rpartition("@")[2]):
        raise ValueError("The URL must name one Redis; lists of addresses are not supported.")
    if parts.fragment:
        raise ValueError("The URL contains a '#'; percent-encode it as %23.")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or "localhost"
    if ":" in host:
        return _ipv6(host)
    if not _HOST.fullmatch(host):
        # Not shown: it may be a piece of the password.
        raise ValueError(
            "The host in the URL is no host name or address; percent-encode '/', ':', '@' in the password."
        )
    return host


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except ValueError:
        address = None
    if address is None or address.scope_id:
        raise ValueError("The host in the URL is no IPv6 address without a zone; it must look like redis://[fd00::1].")
    return str(address)


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _DEFAULT_PORT
    except ValueError:
        raise ValueError(
            "The port in the URL is not a number below 65536; percent-encode '/', ':', '@' and '#' in the password."
        ) from None


def _database(parts: SplitResult) -> int:
    text = parts.path.strip("/")
    if text and not _DATABASE.fullmatch(text):
        raise ValueError("The URL must end in a database number below 100000, as in redis://host:6379/0.")
    return int(text or 0)


def _options(parts: SplitResult) -> dict[str, str]:
    """Options by an allow-list: Celery reads many more, and some of them open files."""
    if "@" in parts.query:
        raise ValueError("The URL contains a '?' before the host; percent-encode it as %3F.")
    try:
        options = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=10))
    except ValueError:
        raise ValueError("The URL has more than ten options.") from None
    if _FILES & options.keys():
        raise ValueError(
            "The URL names files; remove these options, and name a Secret in caSecretKeyRef or"
            " clientCertificateSecretRef beside secretKeyRef."
        )
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(
            f"The URL has the option {unknown[0][:40]!r}, which is not supported; remove it. Options of the connection"
            " belong into transportOptions beside secretKeyRef."
        )
    if options and parts.scheme != "rediss":
        raise ValueError("The URL has options for TLS; begin it with rediss://, or remove them.")
    return options
