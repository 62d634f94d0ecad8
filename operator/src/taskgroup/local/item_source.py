"""Items of spec.itemsFrom without a cluster: read by the program that a pod runs, here and into memory."""

import base64
import binascii
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taskgroup.api.items_from import ItemsFrom, KeySource
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.item_places import request_of
from taskgroup.core.items.handover import Head
from taskgroup.core.meta import Meta
from taskgroup.core.reading import Reading
from taskgroup.groups.memory import Intake
from taskgroup.local.errors import LocalError
from taskgroup.sources.read import Request, read

Found = tuple[Head, Sequence[bytes]]
_KEY = "items"
_OPTION = "--items FILE gives its content"


class _Memory(dict[str, bytes]):
    """The hash into which a pod would write."""

    def delete(self, *names: str) -> None:
        """There is one."""
        del names
        self.clear()

    def hset(self, name: str, key: str, value: bytes) -> None:
        """As Redis does."""
        del name
        self[key] = value

    def expire(self, name: str, time: int) -> None:
        """It goes with the process."""
        del name, time


class GivenItems:
    """What the operator's look at a group asks, where nobody need be waited for."""

    def __init__(self, found: Found) -> None:
        self._found = found

    async def look(self, intake: Intake, meta: Meta, spec: TaskGroupSpec) -> Reading:
        """They are there."""
        del meta, spec
        intake.source = self._found
        return Reading(is_read=True)


def object_of(source: ItemsFrom | None) -> str | None:
    """The object that has the items, as `ConfigMap/people`."""
    if source is None:
        return None
    return next((f"{kind}/{key.name}" for kind, key in _keys(source)), None)


def read_source(source: ItemsFrom, beside: Sequence[Mapping[str, Any]], file: Path | None) -> Found:
    """The items: of the file when one is given, of an object beside the TaskGroup, or of a server.

    LocalError with a sentence when they are not at hand, or no items.
    """
    store = _Memory()
    with _request(source, beside, file) as request:
        head = read(request, store)
    if head.error:
        hint = "" if file or not (source.url or source.s3) else f" {_OPTION[0].upper()}{_OPTION[1:]} instead."
        raise LocalError(f"spec.itemsFrom: {head.error}{hint}")
    return head, [store[str(number)] for number in range(len(head.starts))]


@contextmanager
def _request(source: ItemsFrom, beside: Sequence[Mapping[str, Any]], file: Path | None) -> Iterator[Request]:
    fields = request_of(source) | {"key": _KEY, "authority": None}
    if file is not None:
        yield Request.of(fields | {"place": str(file), "s3": None})
    elif source.url or source.s3:
        yield Request.of(fields)
    else:
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(_content(source, beside))
            copy.flush()
            yield Request.of(fields | {"place": copy.name})


def _content(source: ItemsFrom, beside: Sequence[Mapping[str, Any]]) -> bytes:
    for kind, key in _keys(source):
        for found in beside:
            if found.get("kind") == kind and (found.get("metadata") or {}).get("name") == key.name:
                return _value(found, kind, key)
        raise LocalError(
            f"spec.itemsFrom: the {kind} {key.name} does not stand in the same file, and here is no cluster: {_OPTION}."
        )
    raise LocalError(f"spec.itemsFrom: a volume is known to a cluster alone: {_OPTION}.")


def _keys(source: ItemsFrom) -> Iterator[tuple[str, KeySource]]:
    for kind, key in (("ConfigMap", source.config_map), ("Secret", source.secret)):
        if key is not None:
            yield kind, key


def _value(found: Mapping[str, Any], kind: str, key: KeySource) -> bytes:
    """As the kubelet makes a file of it."""
    plain, packed = ("data", "binaryData") if kind == "ConfigMap" else ("stringData", "data")
    text, coded = ((found.get(field) or {}).get(key.key) for field in (plain, packed))
    try:
        if isinstance(text, str):
            return text.encode()
        if isinstance(coded, str):
            return base64.b64decode(coded, validate=True)
    except binascii.Error:
        raise LocalError(f"spec.itemsFrom: {key.key!r} of the {kind} {key.name} is not base64; correct it.") from None
    raise LocalError(f"spec.itemsFrom: the {kind} {key.name} has no key {key.key!r}; correct one of them.")
