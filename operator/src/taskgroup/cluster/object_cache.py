"""Objects that a watch keeps current, by the TaskGroup that their label names, and what this process wrote itself.

A watch lags behind one's own writes. So the answer to a write is put in as well, and what the watch tells later counts
only when it is newer: nothing is decided on a state that is known to be out of date.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskgroup.api.names import LABEL_UID
from taskgroup.cluster.client import Object
from taskgroup.cluster.errors import ApiError

_POLL_SECONDS = 0.05

Changed = Callable[[str, str], None]
"""Called with the namespace and the uid of the TaskGroup whose objects changed."""


@dataclass(frozen=True, slots=True)
class Cached:
    """What is kept of one object."""

    uid: str
    version: str
    kept: Object
    """The parts that somebody reads."""
    digest: bytes = b""
    """Of the parts that are only compared."""


class ObjectCache:
    """The objects of one kind."""

    def __init__(self, scopes: Sequence[str], keep: Callable[[Object], Cached], changed: Changed) -> None:
        """`scopes` are the watched namespaces, or one empty text for all; `keep` takes what is needed of an object."""
        self._keep = keep
        self._changed = changed
        self._objects: dict[tuple[str, str], dict[str, Cached]] = {}
        self._listed = {scope: asyncio.Event() for scope in scopes}
        self._errors: dict[str, ApiError] = {}

    @property
    def is_listed(self) -> bool:
        """Whether all scopes were, at least once."""
        return all(listed.is_set() for listed in self._listed.values())

    async def until_listed(self, namespace: str) -> None:
        """Wait for the first list; ApiError while the API server refuses to list or to watch.

        One that merely does not answer leaves what was known: it takes no writes either.
        """
        scope = namespace if namespace in self._listed else ""
        listed = self._listed[scope]
        while True:
            error = self._errors.get(scope)
            if error is not None and (error.status or not listed.is_set()):
                raise error
            if listed.is_set():
                return
            await asyncio.sleep(_POLL_SECONDS)

    def of(self, namespace: str, uid: str) -> dict[str, Cached]:
        """Name to object of a TaskGroup."""
        return dict(self._objects.get((namespace, uid), ()))

    # What the watch, and a write, tell

    def put(self, new: Object) -> None:
        """See Receiver; also for the answer to a write."""
        key, name, entry = _key(new), str(new["metadata"]["name"]), self._keep(new)
        before = self._objects.get(key, {}).get(name)
        if before is not None and before.uid == entry.uid and not is_newer(entry.version, before.version):
            return
        self._objects.setdefault(key, {})[name] = entry
        if before is None or replace(before, version=entry.version) != entry:
            self._changed(*key)

    def remove(self, old: Object) -> None:
        """See Receiver. A later object of the same name stays."""
        self._drop(_key(old), str(old["metadata"]["name"]), str(old["metadata"]["uid"]))

    def replace(self, scope: str, objects: Sequence[Object], version: str) -> None:
        """See Receiver. What is newer than the list stays."""
        there = {new["metadata"]["uid"] for new in objects}
        for new in objects:
            self.put(new)
        gone = [
            (key, name, entry)
            for key, entries in self._objects.items()
            if scope in ("", key[0])
            for name, entry in entries.items()
            if entry.uid not in there and not is_newer(entry.version, version)
        ]
        for key, name, entry in gone:
            self._drop(key, name, entry.uid)
        self._errors.pop(scope, None)
        self._listed[scope].set()

    def fail(self, scope: str, error: ApiError) -> None:
        """See Receiver."""
        self._errors[scope] = error

    def _drop(self, key: tuple[str, str], name: str, uid: str) -> None:
        entries = self._objects.get(key, {})
        if name not in entries or entries[name].uid != uid:
            return
        del entries[name]
        if not entries:
            del self._objects[key]
        self._changed(*key)


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    metadata = obj["metadata"]
    return str(metadata["namespace"]), str((metadata.get("labels") or {}).get(LABEL_UID, ""))


def is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is. They are numbers that grow; where they were not, what is told last would count."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than
