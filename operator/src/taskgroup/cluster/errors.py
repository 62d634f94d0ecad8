"""Errors of requests to the Kubernetes API, each with one sentence for the user.

ApiError              the request failed
  NotFoundError       the object does not exist
  KindMissingError    the kind does not exist: its definition is not installed
  ConflictError       the object has changed since it was read, exists already, or has another uid
  ForeignError        an object with the name of a child does not belong to the TaskGroup
  ForbiddenError      RBAC or a policy forbids the request; names verb and resource
  RefusedError        the object is not valid
  TooLargeError       the object is larger than the API server accepts
  SecretMissingError  a Secret that a TaskGroup names, or its key, does not exist
"""

from typing import Any

import orjson

_UNKNOWN_FIELD = "failed to create typed patch object"
"""Part of the message of the HTTP 500 that server-side apply returns for a field that is not in the schema."""


class ApiError(Exception):
    """A request failed. `message` is one sentence, `status` the HTTP status, or 0 without a response."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class NotFoundError(ApiError):
    """The object does not exist."""


class KindMissingError(ApiError):
    """The API server does not serve the kind. Its definition must be installed."""


class ConflictError(ApiError):
    """The object is not as expected: it changed since it was read, exists already, or has another uid."""


class ForeignError(ApiError):
    """An object with the name of a child does not belong to the TaskGroup. It must be deleted or renamed."""


class ForbiddenError(ApiError):
    """RBAC or a policy forbids the request. A later attempt succeeds once the right is granted."""

    def __init__(self, message: str, *, verb: str, resource: str) -> None:
        super().__init__(message, status=403)
        self.verb = verb
        self.resource = resource


class RefusedError(ApiError):
    """The API server refused the object as invalid."""


class TooLargeError(ApiError):
    """The object is larger than the API server accepts."""


class SecretMissingError(ApiError):
    """A Secret or its key does not exist. It must be created."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404)


def from_response(status: int, body: bytes, verb: str, resource: str, label: str) -> ApiError:
    """Return the error for a response whose status is not 2xx.

    `resource` is the plural name, with a subresource if there is one; `label` is the object in words
    ('Secret "a" in namespace "b"').
    """
    message = _message(body)
    if status == 401:
        return ApiError("The Kubernetes API refuses the operator's credentials.", status=status)
    if status == 403:
        return _forbidden(message, verb, resource, label)
    if status == 404:
        return _missing(body, resource, label)
    if status == 422 and not _has_causes(body):
        # A failed test of a JSON patch names no field; the refusal of an invalid object does.
        return ConflictError(f"{label} changed since it was read.", status=status)
    if status == 409:
        return ConflictError(f"{label} changed or exists already: {message}", status=status)
    if status == 413:
        return TooLargeError(f"{label} is larger than the Kubernetes API accepts: {message}", status=status)
    if status in (400, 415, 422) or _UNKNOWN_FIELD in message:
        return RefusedError(f"The Kubernetes API refuses {label}: {message}", status=status)
    return ApiError(f"The Kubernetes API could not {verb} {label}: {message} (HTTP {status})", status=status)


def _forbidden(message: str, verb: str, resource: str, label: str) -> ForbiddenError:
    """RBAC's message names the service account, not the remedy; the message of a policy or quota is shown as it is."""
    if 'User "' in message and '" cannot ' in message:
        text = f"The operator may not {verb} {resource} ({label}): grant it that verb in its ClusterRole or Role."
    else:
        text = f"The cluster does not allow the operator to {verb} {label}: {message}"
    return ForbiddenError(text, verb=verb, resource=resource)


def _missing(body: bytes, resource: str, label: str) -> ApiError:
    """The API server answers in plain text for a path that it does not serve."""
    if _is_status(body):
        return NotFoundError(f"{label} does not exist.", status=404)
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


def _message(body: bytes) -> str:
    """Return the message of a metav1.Status in one line; for any other body, its first 200 bytes."""
    try:
        status: Any = orjson.loads(body)
        text = str(status["message"])
    except (ValueError, KeyError, TypeError):
        text = body[:200].decode(errors="replace")
    return " ".join(text.split())[:1000].rstrip(".") or "no reason given"
