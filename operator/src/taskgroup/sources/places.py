"""Where an object is, apart from the client that reads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class S3Place:
    """Which object of which server."""

    endpoint: str
    bucket: str
    key: str
    region: str
