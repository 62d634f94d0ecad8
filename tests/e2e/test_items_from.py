"""Items from outside of the TaskGroup, read by a real pod of the operator's image."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.kube import PODS
from support.space import Space
from support.volume import claim_on
from taskgroup.api.names import LABEL_ITEMS_OF

SQUARE = {"task": "numbers.square", "args": ["$(item.number)"]}


NUMBERS = "".join(json.dumps({"number": number}) + "\n" for number in range(40)).encode()


def config_map(space: Space, name: str, content: dict[str, str]) -> None:
    space.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": content})


def no_readers(space: Space) -> bool:
    return not space.kube.select(PODS, LABEL_ITEMS_OF)


def test_a_key_of_a_config_map_is_read_and_the_pod_goes(space: Space) -> None:
    config_map(space, "numbers", {"numbers.jsonl": NUMBERS.decode()})

    group = space.create(itemsFrom={"configMap": {"name": "numbers", "key": "numbers.jsonl"}}, template=SQUARE)
    status = group.until_finished()

    assert (status["total"], status["succeeded"]) == (40, 40)
    assert [line["result"] for line in group.results()] == [number * number for number in range(40)]
    space.kube.until(lambda: no_readers(space))


@pytest.fixture
def volume(space: Space, tmp_path: Path) -> Iterator[Path]:
    """Where the files of the claim `lists` are."""
    with claim_on(space.kube, "lists", tmp_path):
        yield tmp_path


def in_a_secret(request: pytest.FixtureRequest, name: str, content: bytes) -> dict[str, Any]:
    space: Space = request.getfixturevalue("space")
    data = {name: base64.b64encode(content).decode()}
    space.kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "numbers"}, "data": data})
    return {"secret": {"name": "numbers", "key": name}}


def on_a_volume(request: pytest.FixtureRequest, name: str, content: bytes) -> dict[str, Any]:
    folder: Path = request.getfixturevalue("volume")
    (folder / "today").mkdir()
    (folder / "today" / name).write_bytes(content)
    return {"persistentVolumeClaim": {"claimName": "lists", "path": f"today/{name}"}}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("stored", [in_a_secret, on_a_volume])
def test_a_file_is_read_only_when_it_has_the_digest_that_the_spec_says(
    stored: Any, packed: bool, space: Space, request: pytest.FixtureRequest
) -> None:
    """The group runs once the digest in the spec is put right."""
    content = gzip.compress(NUMBERS) if packed else NUMBERS
    source = stored(request, "numbers.jsonl.gz" if packed else "numbers.jsonl", content)
    digest = hashlib.sha256(content).hexdigest()

    group = space.create(itemsFrom=source | {"sha256": "0" * 64}, template=SQUARE)
    group.until_said("ConfigurationValid", "SourceUnreadable", f"Its sha256 is {digest}")
    assert not group.pods()
    group.change(itemsFrom={"sha256": digest})
    status = group.until_finished()

    assert (status["total"], status["succeeded"]) == (40, 40)
    assert group.values() == [number * number for number in range(40)]


def test_chunks_of_a_file_are_flattened_in_its_order(space: Space) -> None:
    config_map(space, "numbers", {"numbers.json": json.dumps(list(range(25)))})

    group = space.create(
        itemsFrom={"configMap": {"name": "numbers", "key": "numbers.json"}},
        template={"task": "numbers.square_all", "args": ["$(items)"]},
        chunkSize=10,
    )
    status = group.until_finished()

    assert (status["messages"], status["succeeded"]) == ("3/3", 25)
    assert [line["result"] for line in group.results()] == [number * number for number in range(25)]


def test_a_missing_config_map_is_told(space: Space) -> None:
    group = space.create(itemsFrom={"configMap": {"name": "later", "key": "a.jsonl"}}, template=SQUARE)

    group.until_said("ConfigurationValid", "SourceUnreadable", "does not start", "what it mounts may not exist")


def test_what_is_wrong_in_a_file_is_told(space: Space) -> None:
    config_map(space, "broken", {"a.csv": "number\n1\n2,3\n"})

    group = space.create(itemsFrom={"configMap": {"name": "broken", "key": "a.csv"}}, template=SQUARE)

    group.until_said("ConfigurationValid", "SourceUnreadable", "Line 3 has 2 values")
