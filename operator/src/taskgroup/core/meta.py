"""Whose decision it is: the identity of one TaskGroup, which every room needs and none may change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The part of an object's metadata that decisions depend on."""

    uid: str
    name: str
    namespace: str
    generation: int = 0
    finalized: bool = True
    """Our finalizer is in the object that was read; nothing outside may be touched before."""
    deleting: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
