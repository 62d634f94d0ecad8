"""The generated CRDs and API reference: up to date, structural, small, and as complete as the models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import generate_crds
import generate_reference
import pytest
import yaml
from pydantic import BaseModel, Field
from structural_schema import ELEMENT, SEE, VALUE, UndescribedFieldError, describe_once, explained, nodes, structural

from taskgroup.api.base import Model
from taskgroup.api.ledger import MAX_SNAPSHOT_BYTES, TaskGroupLedger
from taskgroup.api.names import LEDGER_PLURAL, PLURAL

GENERATED = {**generate_crds.rendered(), **generate_reference.rendered()}
MOST_BYTES = 60_000
COMMON = {"apiVersion", "kind", "metadata"}
"""What every object has."""
FORBIDDEN = {"$ref", "$defs", "title", "const", "definitions", "dependencies", "patternProperties", "uniqueItems"}


each_kind = pytest.mark.parametrize("kind", generate_crds.KINDS, ids=lambda kind: kind.name)


def version(kind: generate_crds.Kind) -> dict[str, Any]:
    """The one version of a kind."""
    (only,) = generate_crds.definition(kind)["spec"]["versions"]
    typed: dict[str, Any] = only
    return typed


def schema(kind: generate_crds.Kind = generate_crds.TASK_GROUP) -> dict[str, Any]:
    root: dict[str, Any] = version(kind)["schema"]["openAPIV3Schema"]
    return root


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: str(path.relative_to(generate_crds.ROOT)))
def test_a_committed_file_is_what_the_generator_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path]


def test_generating_again_gives_the_same() -> None:
    assert {**generate_crds.rendered(), **generate_reference.rendered()} == GENERATED


def test_the_file_says_that_it_is_generated() -> None:
    assert all("enerated by operator/tools/" in text.splitlines()[0] for text in GENERATED.values())


def test_the_crd_stays_small() -> None:
    """Client-side apply copies it into an annotation of 256 KiB at most, and every Helm release carries it."""
    assert all(len(text.encode()) < MOST_BYTES for text in generate_crds.rendered().values())


def test_the_crds_are_written_for_kubectl_and_for_the_chart() -> None:
    folders = ("crds", "charts/taskgroup-operator/files/crds")
    wanted = {f"{folder}/{plural}.yaml" for folder in folders for plural in (PLURAL, LEDGER_PLURAL)}

    assert {str(path.relative_to(generate_crds.ROOT)) for path in generate_crds.rendered()} == wanted


@each_kind
def test_the_text_reads_back_as_the_crd(kind: generate_crds.Kind) -> None:
    texts = [text for path, text in generate_crds.rendered().items() if path.stem == kind.plural]

    assert [yaml.safe_load(text) for text in texts] == [generate_crds.definition(kind)] * 2


def test_a_ledger_has_no_status_no_columns_and_no_other_names() -> None:
    names = generate_crds.definition(generate_crds.LEDGER)["spec"]["names"]

    assert names.keys() == {"kind", "listKind", "plural", "singular"}
    assert version(generate_crds.LEDGER).keys() == {"name", "served", "storage", "schema"}


@each_kind
def test_the_schema_is_structural(kind: generate_crds.Kind) -> None:
    """Every node says its type, or says why it has none; nothing of JSON schema that Kubernetes refuses is left."""
    for path, node in nodes(schema(kind)):
        untyped = "x-kubernetes-preserve-unknown-fields" in node or "x-kubernetes-int-or-string" in node
        assert "type" in node or untyped, path
        assert not FORBIDDEN & node.keys(), path
        assert not ("properties" in node and "additionalProperties" in node), path


@each_kind
def test_lists_and_texts_are_bounded(kind: generate_crds.Kind) -> None:
    """The API server prices rules by the worst case, and one user must not fill etcd with a field."""
    limits = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, node in nodes(schema(kind))
        if path not in COMMON
        and node.get("type") in limits
        and limits[node["type"]] not in node
        and "enum" not in node
        and node.get("format") != "date-time"
    ]

    assert unbounded == []


@each_kind
def test_lists_whose_elements_have_names_are_maps(kind: generate_crds.Kind) -> None:
    """Others are atomic, which is what the API server assumes: only as a whole can they be applied."""
    lists = [node for _, node in nodes(schema(kind)) if node.get("type") == "array"]
    said = {(node.get("x-kubernetes-list-type"), *node.get("x-kubernetes-list-map-keys", ())) for node in lists}

    assert said <= {(None,), ("map", "name"), ("map", "type"), ("map", "mountPath")}


@each_kind
def test_every_field_of_the_models_is_there(kind: generate_crds.Kind) -> None:
    paths = {path for path, _ in nodes(schema(kind))}

    assert set(fields(kind.model)) <= paths


def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Paths of the fields of a model and of the models in them, read from the models and not from a schema."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        yield path
        for inner, mark in _models(field.annotation):
            yield from fields(inner, f"{path}{mark}.")


def _models(annotation: Any, mark: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, mark
    marks: dict[Any, str] = {list: ELEMENT, dict: VALUE}
    for part in get_args(annotation):
        yield from _models(part, mark + marks.get(get_origin(annotation), ""))


def test_the_spec_says_which_fields_exclude_each_other() -> None:
    """The API server only says how many alternatives match: `kubectl explain` is where the next look goes."""
    spec = schema()["properties"]["spec"]
    sources = [part["required"][0] for part in spec["oneOf"]]

    assert len(sources) == 5
    assert [source for source in sources if source not in spec["description"]] == []


def test_a_field_without_a_description_is_an_error() -> None:
    class Inner(Model):
        """Has a field that says nothing."""

        mute: int = 0

    class Outer(Model):
        """Holds it."""

        inner: list[Inner] = Field(description="Parts.")

    with pytest.raises(UndescribedFieldError, match=r"Outer: inner\[\]\.mute has no description"):
        structural(Outer)


class Part(Model):
    """Is at several places."""

    size: int = Field(description="How large.")


class Whole(Model):
    """Holds parts, the least deep of them last."""

    inner: dict[str, list[Part]] = Field(description="Parts by name.")
    left: Part = Field(description="The left one.")
    right: Part = Field(description="The right one.")


def test_equal_objects_are_described_at_the_least_deep_place() -> None:
    schema = structural(Whole)
    describe_once(schema)
    described = {path: node["description"] for path, node in nodes(schema) if "description" in node}

    assert described == {
        "": "Holds parts, the least deep of them last.",
        "inner": "Parts by name.",
        "inner{}[]": "See left.",
        "left": "The left one.",
        "left.size": "How large.",
        "right": "The right one. See left.",
    }


@each_kind
def test_every_field_is_described_where_it_is_or_where_its_object_refers_to(kind: generate_crds.Kind) -> None:
    paths = [path for path, _ in nodes(schema(kind)) if path not in COMMON]
    said = {explained(path): node["description"] for path, node in nodes(schema(kind)) if "description" in node}

    assert [path for path in paths if not described(explained(path), said)] == []


def described(path: str, said: dict[str, str]) -> bool:
    """Whether something is said of a field, at its own path or where the object that it is in refers to."""
    if path in said:
        return True
    for above in (path[:end] for end in range(len(path), 0, -1)):
        _, see, place = said.get(above, "").rpartition(SEE)
        if see:
            return described(place.rstrip(".") + path.removeprefix(above), said)
    return False


@each_kind
def test_the_reference_names_every_field(kind: generate_crds.Kind) -> None:
    text = "".join(generate_reference.rendered().values())
    names = {path.rstrip(ELEMENT + VALUE).rpartition(".")[2] for path, _ in nodes(schema(kind)) if path}

    assert [name for name in sorted(names - COMMON) if f"`{name}`" not in text] == []


def test_the_ledger_takes_one_short_section_of_the_reference() -> None:
    text = "".join(generate_reference.rendered().values())

    assert len(text.partition("## TaskGroupLedger\n")[2].splitlines()) < 10


def test_a_snapshot_comes_back_from_its_base64() -> None:
    stored = TaskGroupLedger(snapshot=b"\x00\xff").dump()

    assert stored == {"snapshot": "AP8="}
    assert TaskGroupLedger.model_validate(stored).snapshot == b"\x00\xff"


def test_the_largest_snapshot_is_the_longest_text() -> None:
    largest = TaskGroupLedger(snapshot=bytes(MAX_SNAPSHOT_BYTES)).dump()["snapshot"]

    assert len(largest) == schema(generate_crds.LEDGER)["properties"]["snapshot"]["maxLength"]
