"""TaskGroups in a file of YAML or JSON, read as kubectl and the API server would read them."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taskgroup.api.names import API_VERSION, KIND

STANDARD_INPUT = "-"
_MERGE = "tag:yaml.org,2002:merge"
_OTHERS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float"))
_NUMBERS = (
    ("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$"),
    ),
)


class ManifestError(Exception):
    """The file cannot be used; `str()` is a sentence that says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One TaskGroup of a file."""

    where: str
    """File and document, as errors name it."""
    name: str
    body: dict[str, Any]
    beside: Sequence[dict[str, Any]] = ()
    """The other objects of the file."""


@dataclass(frozen=True, slots=True)
class Manifests:
    """What a file holds."""

    groups: tuple[Manifest, ...]
    left_out: tuple[str, ...]
    """Other objects, as `Service/shop`."""


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: dates and times are texts, 1e5 is a number, and a key occurs once."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the loader's own attribute
        first: [
            *((tag, pattern) for tag, pattern in resolvers if tag not in _OTHERS),
            *(_NUMBERS if first in "-+.0123456789" else ()),
        ]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A key that occurs twice is an error, as it is for the API server."""
        seen = set[str]()
        for key, _ in node.value:
            name = str(key.value)
            if key.tag != _MERGE and name in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {name} occurs twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return dict(super().construct_mapping(node, deep=deep))


def read_manifests(path: str) -> Manifests:
    """The TaskGroups of a file; `-` is standard input. ManifestError when there is none, or one cannot be read."""
    title = "standard input" if path == STANDARD_INPUT else path
    groups, left_out, beside = list[Manifest](), list[str](), list[dict[str, Any]]()
    for number, document in enumerate(_documents(_text(path), title), start=1):
        where = f"{title}, document {number}"
        if document is None:
            continue
        if not isinstance(document, dict) or "kind" not in document:
            raise ManifestError(f"{where}: it is no Kubernetes object; begin it with apiVersion, kind and metadata.")
        if document["kind"] == KIND:
            groups.append(_manifest(where, document, beside))
        else:
            beside.append(document)
            left_out.append(f"{document['kind']}/{_name(document) or '?'}")
    if not groups:
        others = f" (only {', '.join(left_out)})" if left_out else ""
        raise ManifestError(f"{title}: it holds no TaskGroup{others}; name a file with kind: {KIND}.")
    return Manifests(tuple(groups), tuple(left_out))


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == STANDARD_INPUT else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{path}: the file cannot be read ({error.strerror}); check its name and rights.") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: the file is not UTF-8 text; save it as such.") from None


def _documents(text: str, title: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, _Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = error.problem or error.context
        raise ManifestError(f"{title}{place}: it is no valid YAML ({problem}); correct it there.") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        problem = str(error).splitlines()[0]
        raise ManifestError(f"{title}: it is no valid YAML ({problem}); correct it.") from None


def _manifest(where: str, document: dict[Any, Any], beside: Sequence[dict[str, Any]]) -> Manifest:
    if document.get("apiVersion") != API_VERSION:
        found = document.get("apiVersion", "missing")
        raise ManifestError(f"{where}: its apiVersion is {found}; write {API_VERSION}.")
    name = _name(document)
    if not name:
        raise ManifestError(f"{where}: it has no name; write one as metadata.name.")
    return Manifest(f"{where} ({name})", name, document, beside)


def _name(document: dict[Any, Any]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
