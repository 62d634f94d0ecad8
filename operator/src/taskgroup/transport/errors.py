"""The error for every failure between the operator and a Redis, with a sentence that a condition can show.

The sentence never contains credentials: it is built from the address without them and, at most, the server's message.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from taskgroup.api.names import Reason
from taskgroup.transport.answers import TooLongError

_DENIED = ("WRONGPASS", "NOAUTH", "NOPERM", "invalid password", "invalid username", "without any password configured")
_CLASSES = {
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.MovedError: "MOVED",
    exceptions.MasterDownError: "MASTERDOWN",
    TooLongError: "TOO LONG",
    exceptions.InvalidResponse: "PROTOCOL",
    exceptions.AskError: "MOVED",
}
_FOREIGN = "holds a foreign value under one of the group's keys; use a database or a globalKeyPrefix of its own"
_SENTENCES = {
    "LOADING": "is still loading its data; it will answer when that is done",
    "READONLY": "is a read-only replica; point the URL to the primary",
    "OOM": "is out of memory (maxmemory); give it more, or remove keys",
    "MISCONF": "refuses writes because it cannot save to its disk; look at its log",
    "MASTERDOWN": "is a replica that has lost its primary",
    "NOREPLICAS": "refuses writes because too few replicas follow it",
    "BUSY": "is busy with a long script; wait, or end it with SCRIPT KILL",
    "DB index": "has no database of that number; check the end of the URL",
    "WRONGTYPE": _FOREIGN,
    "unknown command": "lacks a command that Celery needs; Redis 6.2 or newer is required",
    "MOVED": "is a Redis Cluster, which Celery does not support",
    "PROTOCOL": "does not speak Redis's protocol; check host and port",
    "TOO LONG": "sends more than the operator reads in one answer (16 MiB); remove what was stored by others, or use a"
    " Redis of its own",
    "CROSSSLOT": "is a Redis Cluster, which Celery does not support",
}

_ASKS = "; if it asks for a client certificate, name one in clientCertificateSecretRef"
"""A server that asks for one says so and hangs up at once: what it says may be lost with the connection."""


class BrokerError(Exception):
    """The broker or result backend cannot be used now. `message` is one sentence for the user, without credentials."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def foreign_value() -> BrokerError:
    """Return the error for a value that no script of the operator writes; Redis only detects values of another type."""
    return BrokerError(Reason.UNREACHABLE, f"Redis {_FOREIGN}.")


@contextmanager
def broker_errors(address: str) -> Iterator[None]:
    """Raise the errors of redis-py and of the operating system as BrokerError; `address` has no credentials."""
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise _translate(error, address) from None


def _translate(error: Exception, address: str) -> BrokerError:
    if isinstance(error.__cause__, BrokerError):
        # redis-py wraps what is raised while it connects.
        return error.__cause__
    # redis-py leaves the operating system's message in the cause or context.
    text, is_tls = f"{error} {error.__cause__ or error.__context__!r}", address.startswith("rediss:")
    if isinstance(error, (exceptions.AuthenticationError, exceptions.NoPermissionError)) or _any_in(_DENIED, text):
        return BrokerError(Reason.ACCESS_DENIED, _denied(text, address))
    # redis-py removes the code from a response for which it has an exception class.
    code_or_text = next((code for kind, code in _CLASSES.items() if isinstance(error, kind)), text)
    sentence = next((sentence for code, sentence in _SENTENCES.items() if code in code_or_text), None)
    if sentence:
        return BrokerError(Reason.UNREACHABLE, f"Redis at {address} {sentence}.")
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        check = "address, network and TLS" if is_tls else "address and network"
        return BrokerError(Reason.UNREACHABLE, f"Redis at {address} does not answer in time; check {check}.")
    if isinstance(error, (exceptions.ConnectionError, OSError)):
        cause = _connection_failure(text, _ASKS if is_tls else "")
        return BrokerError(Reason.UNREACHABLE, f"Redis at {address} cannot be reached: {cause}.")
    return BrokerError(Reason.UNREACHABLE, f"Redis at {address} refused a command: {_first_line(str(error))}.")


def _denied(text: str, address: str) -> str:
    if "NOPERM" in text or "no permissions" in text or "permissions to" in text:
        return f"Redis at {address} denies the user a command or key; extend the user's ACL."
    if "without any password configured" in text:
        return f"Redis at {address} has no password but the URL gives one; remove it from the URL in the Secret."
    return f"Redis at {address} refuses the credentials; correct user and password in the Secret."


def _connection_failure(text: str, hint: str) -> str:
    """The cause of a connection error in words, without the address that redis-py adds; `hint` where none was given."""
    causes = {
        "refused": "connection refused",
        "Name or service not known": "its name is unknown to DNS",
        "name resolution": "its name cannot be resolved now",
        "No address": "its name is unknown to DNS",
        "No route": "no route to it",
        "unreachable": "the network is unreachable",
        "reset": f"the connection was reset{hint}",
        "closed": f"the connection was closed{hint}",
        "certificate required": "it asks for a client certificate; name one in clientCertificateSecretRef",
        "alert": "it refuses the client certificate or the TLS version",
        "hostname mismatch": "its certificate is for another name",
        "certificate": "its certificate is not trusted; name its authority in caSecretKeyRef",
        "SSL": "TLS could not be agreed; check redis:// against rediss://",
        "max number of clients": "it has too many clients",
    }
    return next((cause for words, cause in causes.items() if words.lower() in text.lower()), "the connection failed")


def _first_line(text: str) -> str:
    """The server's message; redis-py puts the command, which contains the user's data, before it."""
    lines = text.rpartition("caused error: ")[2].splitlines()
    return (lines or ["no reason given"])[0][:200].rstrip(".")


def _any_in(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text for part in parts)
