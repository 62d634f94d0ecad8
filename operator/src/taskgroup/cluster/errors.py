"""What can go wrong between the operator and the Kubernetes API, each with one sentence for the user.

ApiError            the request was not carried out; `retryable` says whether the same request may work later
  NotFoundError     the object does not exist
  KindMissingError  the kind itself does not exist: its definition was not installed
  ConflictError     the object changed since it was read, exists already, or is not the one that was meant
  ForeignError      an object of the wanted name belongs to somebody else
  ForbiddenError    RBAC or a policy says no; names verb and resource
  RefusedError      the API server finds the object itself wrong
  TooLargeError     the object would be larger than the API server takes
  SecretMissingError  a Secret, or its key, that a TaskGroup names is not there
"""

from typing import Any

import orjson

_UNKNOWN_FIELD = "failed to create typed patch object"
"""Server-side apply answers with HTTP 500 when the object has a field that the schema does not know."""


class ApiError(Exception):
    """A request failed. `message` is one sentence; `status` the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retryable = retryable


class NotFoundError(ApiError):
    """The object does not exist."""


class KindMissingError(ApiError):
    """The API server does not serve the kind at all; whoever installs its definition heals this."""


class ConflictError(ApiError):
    """Somebody else wrote first: read again and decide anew."""


class ForeignError(ApiError):
    """An object of a child's name belongs to somebody else; whoever removes it heals this."""


class ForbiddenError(ApiError):
    """The operator may not do this. Healed by whoever grants it, so it is worth another try later."""

    def __init__(self, message: str, *, verb: str, resource: str) -> None:
        super().__init__(message, status=403, retryable=True)
        self.verb = verb
        self.resource = resource


class RefusedError(ApiError):
    """The API server validated the object and refused it."""


class TooLargeError(ApiError):
    """More bytes than one object may hold."""


class SecretMissingError(ApiError):
    """A Secret or its key is missing; whoever creates it heals this."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404, retryable=True)


def from_response(status: int, body: bytes, verb: str, resource: str, what: str) -> ApiError:
    """The error of an answer outside 2xx.

    `resource` is plural and may carry a subresource; `what` names the object in words ('Secret "a" in namespace "b"').
    """
    said = _said(body)
    if status == 401:
        return ApiError("The Kubernetes API refuses the operator's credentials.", status=status, retryable=True)
    if status == 403:
        return _forbidden(said, verb, resource, what)
    if status == 404:
        return _missing(body, resource, what)
    if status == 422 and not _has_causes(body):
        # A JSON patch whose test fails: it names no field, unlike the refusal of a wrong object.
        return ConflictError(f"{what} changed since it was read.", status=status)
    if status == 409:
        return ConflictError(f"{what} changed or exists already: {said}", status=status)
    if status == 413:
        return TooLargeError(f"{what} is larger than the Kubernetes API takes: {said}", status=status)
    if status in (400, 415, 422) or _UNKNOWN_FIELD in said:
        return RefusedError(f"The Kubernetes API refuses {what}: {said}", status=status)
    return ApiError(
        f"The Kubernetes API could not {verb} {what}: {said} (HTTP {status})", status=status, retryable=True
    )


def _forbidden(said: str, verb: str, resource: str, what: str) -> ForbiddenError:
    """RBAC's text names a user nobody knows; the text of a policy or quota alone tells what to change."""
    if 'User "' in said and '" cannot ' in said:
        hint = f"The operator may not {verb} {resource} ({what}): grant it that verb in its ClusterRole or Role."
    else:
        hint = f"The cluster forbids to {verb} {what}: {said}"
    return ForbiddenError(hint, verb=verb, resource=resource)


def _missing(body: bytes, resource: str, what: str) -> ApiError:
    """For a path that it does not serve at all the API server answers in plain text."""
    if _is_status(body):
        return NotFoundError(f"{what} does not exist.", status=404)
    text = (
        f"The cluster has no definition of {resource}: upgrade the chart with crds.install=true, or apply the files in"
        " its folder files/crds."
    )
    return KindMissingError(text, status=404)


def _is_status(body: bytes) -> bool:
    try:
        return bool(orjson.loads(body)["kind"] == "Status")
    except (ValueError, KeyError, TypeError):
        return False


def _has_causes(body: bytes) -> bool:
    try:
        return bool(orjson.loads(body)["details"]["causes"])
    except (ValueError, KeyError, TypeError):
        return False


def _said(body: bytes) -> str:
    """The message of a metav1.Status in one line, or the start of whatever came instead."""
    try:
        status: Any = orjson.loads(body)
        text = str(status["message"])
    except (ValueError, KeyError, TypeError):
        text = body[:200].decode(errors="replace")
    return " ".join(text.split())[:1000].rstrip(".") or "no reason given"
