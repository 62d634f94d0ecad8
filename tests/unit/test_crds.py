"""The generated CRDs and API reference: up to date, structural, small, and as complete as the models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import generate_crds
import generate_reference
import pytest
import yaml
from pydantic import BaseModel, Field
from structural_schema import ELEMENT, VALUE, UndescribedFieldError, nodes, structural

from taskgroup.api.base import Model
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus

GENERATED = {**generate_crds.rendered(), **generate_reference.rendered()}
MOST_BYTES = 60_000
FORBIDDEN = {"$ref", "$defs", "title", "const", "definitions", "dependencies", "patternProperties", "uniqueItems"}


def schema() -> dict[str, Any]:
    root: dict[str, Any] = generate_crds.task_group()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
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
    assert {path.name: len(text.encode()) for path, text in generate_crds.rendered().items()}[
        "taskgroups.yaml"
    ] < MOST_BYTES


def test_the_text_reads_back_as_the_crd() -> None:
    for text in generate_crds.rendered().values():
        assert yaml.safe_load(text) == generate_crds.task_group()


def test_the_schema_is_structural() -> None:
    """Every node says its type, or says why it has none; nothing of JSON schema that Kubernetes refuses is left."""
    for path, node in nodes(schema()):
        untyped = "x-kubernetes-preserve-unknown-fields" in node or "x-kubernetes-int-or-string" in node
        assert "type" in node or untyped, path
        assert not FORBIDDEN & node.keys(), path
        assert not ("properties" in node and "additionalProperties" in node), path


def test_lists_and_texts_are_bounded() -> None:
    """The API server prices rules by the worst case, and one user must not fill etcd with a field."""
    limits = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, node in nodes(schema())
        if path.startswith(("spec", "status"))
        and node.get("type") in limits
        and limits[node["type"]] not in node
        and "enum" not in node
        and "format" not in node
    ]

    assert unbounded == []


def test_lists_have_a_type() -> None:
    assert [
        path for path, node in nodes(schema()) if node.get("type") == "array" and "x-kubernetes-list-type" not in node
    ] == []


@pytest.mark.parametrize(("model", "place"), [(TaskGroupSpec, "spec"), (TaskGroupStatus, "status")])
def test_every_field_of_the_models_is_there(model: type[BaseModel], place: str) -> None:
    paths = {path for path, _ in nodes(schema())}

    assert {f"{place}.{path}" for path in fields(model)} <= paths


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


def test_a_field_without_a_description_is_an_error() -> None:
    class Inner(Model):
        """Has a field that says nothing."""

        mute: int = 0

    class Outer(Model):
        """Holds it."""

        inner: list[Inner] = Field(description="Parts.")

    with pytest.raises(UndescribedFieldError, match=r"Outer: inner\[\]\.mute has no description"):
        structural(Outer)


def test_the_reference_names_every_field() -> None:
    text = "".join(generate_reference.rendered().values())
    names = {path.rstrip(ELEMENT + VALUE).rpartition(".")[2] for path, _ in nodes(schema()) if path}

    assert [name for name in sorted(names - {"apiVersion", "kind", "metadata"}) if f"`{name}`" not in text] == []
