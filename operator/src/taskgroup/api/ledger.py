"""The TaskGroupLedger object: a TaskGroup's record in a kind of its own, to which only the operator has a right.

How the bytes are made stands in core/snapshot.py; the API server only sees to it that they are base64 and not too many.
"""

from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from taskgroup.api.base import Model

MAX_CHARACTERS = 1_500_000
"""etcd takes 1,572,864 bytes in one request; what this leaves is for the metadata and for encryption at rest."""
MAX_SNAPSHOT_BYTES = MAX_CHARACTERS // 4 * 3
"""As many bytes as have that many characters in base64."""

Base64 = Annotated[
    bytes,
    BeforeValidator(lambda value: b64decode(value) if isinstance(value, str) else value),
    PlainSerializer(lambda value: b64encode(value).decode(), return_type=str),
    WithJsonSchema({"type": "string", "format": "byte", "maxLength": MAX_CHARACTERS}),
]
"""Bytes in Python, base64 on the wire."""


class TaskGroupLedger(Model):
    """The operator's own record of a TaskGroup: only the operator reads and writes it. It is not to be edited."""

    snapshot: Base64 = Field(description="How each item ended, compressed, in the operator's own format.")
