"""A TaskGroup of a file, checked as far as that can be done without a cluster."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from taskgroup.api.base import Opaque
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.taskgroup import TaskGroup
from taskgroup.core.items.work import MAX_MESSAGE_BYTES, Work
from taskgroup.core.text import shortened
from taskgroup.groups.compiling import compile_spec, finished, source_steps
from taskgroup.groups.success_when import checked
from taskgroup.local.errors import LocalError
from taskgroup.local.item_source import Found, read_source
from taskgroup.local.manifests import Manifest, ManifestError
from taskgroup.local.rules import broken_rule

_MESSAGES = {"missing": "the field is missing; add it"}
_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Checked:
    """A TaskGroup that can be run."""

    name: str
    body: dict[str, Any]
    """The object as the API server would store it."""
    spec: TaskGroupSpec
    work: Work
    object_bytes: int
    """Of its JSON."""
    source: Found | None = None
    """The items of spec.itemsFrom."""


def check(manifest: Manifest, items: Path | None = None) -> Checked:
    """ManifestError with a sentence when the TaskGroup would be refused, or would halt.

    `items` is a file with what spec.itemsFrom names.
    """
    text = _as_json(manifest)
    body = json.loads(text)
    if not isinstance(body.get("spec"), dict):
        raise ManifestError(f"{manifest.where}: it has no spec; see docs/api-reference.md.")
    try:
        spec = _parsed(body["spec"])
    except ValidationError as error:
        raise ManifestError(f"{manifest.where}: {_sentence(error)}") from None
    except _UnknownFieldError as error:
        text = f"{manifest.where}: {error}: there is no such field; remove it, or correct its name."
        raise ManifestError(text) from None
    if rule := broken_rule(manifest.name, spec):
        raise ManifestError(f"{manifest.where}: {rule}.")
    source = _source(manifest, spec, items)
    return Checked(manifest.name, body, spec, _compiled(manifest, body["spec"], source), len(text.encode()), source)


def _source(manifest: Manifest, spec: TaskGroupSpec, items: Path | None) -> Found | None:
    if spec.items_from is None or not spec.items_from.is_external:
        if items is not None:
            raise ManifestError(f"{manifest.where}: its items stand in it; leave --items out.")
        return None
    try:
        return read_source(spec.items_from, manifest.beside, items)
    except LocalError as error:
        raise ManifestError(f"{manifest.where}: {error}") from None


def _as_json(manifest: Manifest) -> str:
    try:
        return json.dumps(manifest.body, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{manifest.where}: it cannot be written as JSON ({error}); correct that value.") from None


def _parsed(spec: dict[str, Any]) -> TaskGroupSpec:
    """As strict as the API server: no text for a number, and no unknown fields but where any are handed on."""
    text = json.dumps({"spec": spec})
    try:
        return TaskGroup.model_validate_json(text, strict=True, extra="forbid").spec
    except ValidationError as error:
        # Raises what is wrong besides unknown fields.
        whole = TaskGroup.model_validate_json(text, strict=True)
        unknown = [one["loc"] for one in error.errors() if not _is_opaque(whole, one["loc"])]
    if unknown:
        raise _UnknownFieldError(_place(unknown[0]))
    return whole.spec


class _UnknownFieldError(Exception):
    """`str()` is its place."""


def _is_opaque(part: Any, location: tuple[int | str, ...]) -> bool:
    """Whether the location is inside of what is handed on to Kubernetes as it came."""
    for step in location:
        if isinstance(part, BaseModel):
            fields = {field.alias: name for name, field in type(part).model_fields.items()}
            part = getattr(part, fields.get(str(step), ""), None)
        else:
            part = part[step] if isinstance(part, list) and isinstance(step, int) else None
        if isinstance(part, Opaque):
            return True
    return False


def _compiled(manifest: Manifest, spec: dict[str, Any], source: Found | None) -> Work:
    compiled = finished(compile_spec(1, spec, manifest.name, MAX_MESSAGE_BYTES))
    if source is not None and compiled.invalid is None:
        compiled = finished(source_steps(compiled, manifest.name, MAX_MESSAGE_BYTES, *source))
    compiled = checked(compiled)
    if compiled.work is None:
        why = compiled.invalid.message if compiled.invalid else "nobody knows its items"
        raise ManifestError(f"{manifest.where}: {why}")
    return compiled.work


def _sentence(error: ValidationError) -> str:
    """The first error, and how many there are besides."""
    errors = error.errors(include_url=False)
    first, more = errors[0], len(errors) - 1
    message = _MESSAGES.get(first["type"]) or f"{first['msg'][:1].lower()}{first['msg'][1:]}; correct it"
    others = f" (and {more} more)" if more else ""
    return f"{_place(first['loc'])}: {shortened(message, _LENGTH)}{others}."


def _place(location: tuple[int | str, ...]) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return shortened(where.removeprefix("."), _LENGTH)
