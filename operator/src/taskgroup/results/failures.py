"""Why an item failed, in words that its owner knows: from what Celery stored of the exception and its traceback.

Celery stores an exception as JSON: its class, its arguments, and the traceback as text. Where the class or its message
got lost on the way, they stand in the traceback's last lines as Python shows them.
"""

from collections.abc import Mapping
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure
from taskgroup.core.text import shortened
from taskgroup.results.decode import StoredResult
from taskgroup.results.raised import Raised, read_traceback

MESSAGE_LENGTH = 1_000
_REASON_LENGTH = 256
_WRAPPER = "UnpickleableExceptionWrapper"
"""Celery's stand-in for an exception that cannot be pickled: its arguments are module, class, arguments and text."""
_READ_ONLY = "Read-only file system"
_WRITABLE = (
    ". Only /tmp and mounted volumes can be written: mount a volume there, or set"
    " workers.securityContext.readOnlyRootFilesystem to false"
)
_NO_JSON = ". Only JSON can be stored: return a list, a dict, a number or a text instead"
_LIMITS = {"TimeLimitExceeded": "timeLimitSeconds", "SoftTimeLimitExceeded": "softTimeLimitSeconds"}
UNREADABLE = Failure(
    "UnreadableResult",
    "The stored result is not JSON. Set result_serializer to json in the app, or remove the foreign value.",
)


def expired(what: str, so: str = "") -> Failure:
    """Of a result that is needed and gone; `so` is a clause about what follows."""
    return Failure(
        Reason.RESULTS_EXPIRED,
        f"{what} is not in the result backend any more{so}: let results live longer (result_expires), and give Redis no"
        " eviction.",
    )


def failure(stored: StoredResult) -> Failure:
    """Return the reason of a FAILURE or REVOKED result: the exception's class, or what became of the task."""
    raised = read_traceback(stored.traceback)
    description = _unwrapped(stored.value) if isinstance(stored.value, dict) else {}
    if stored.status == "REVOKED":
        message = shortened(_message(description, stored.value, raised), MESSAGE_LENGTH)
        return Failure(Reason.EXPIRED if "expired" in message.lower() else Reason.REVOKED, clean(message))
    reason = str(description.get("exc_type") or "Unknown")
    message = _in_words(reason, _message(description, stored.value, raised))
    module = description.get("exc_module")
    kind = f"{module}.{reason}" if module else reason
    return Failure(
        clean(reason[:_REASON_LENGTH]), clean(message), clean(raised.excerpt), kind=clean(kind[: 2 * _REASON_LENGTH])
    )


def clean(text: str) -> str:
    """Replace lone surrogates, which JSON allows and UTF-8 does not."""
    return text.encode(errors="replace").decode()


def _unwrapped(description: Mapping[str, Any]) -> Mapping[str, Any]:
    """The exception inside Celery's stand-in."""
    match description:
        case {"exc_type": kind, "exc_message": [str(module), str(name), list(arguments), *_]} if kind == _WRAPPER:
            return {"exc_type": name, "exc_message": arguments, "exc_module": module}
        case _:
            return description


def _message(description: Mapping[str, Any], value: object, raised: Raised) -> str:
    """One argument is the message; with none or several, the text that Python makes of them says more than a list."""
    message = description.get("exc_message", "" if description else value)
    if not isinstance(message, list):
        return "" if message is None else str(message)
    if len(message) == 1 and str(message[0]).strip():
        return str(message[0])
    return raised.message or ", ".join(map(str, message))


def _in_words(reason: str, message: str) -> str:
    limit = _LIMITS.get(reason)
    if limit is not None:
        seconds = message.strip("(),")
        return f"The task ran longer than {limit}{f' ({seconds} s)' if seconds.isdecimal() else ''}."
    remedy = _NO_JSON if reason == "EncodeError" else _WRITABLE if _READ_ONLY in message else ""
    return shortened(message, MESSAGE_LENGTH) + remedy
