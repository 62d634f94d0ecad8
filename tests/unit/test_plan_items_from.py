"""`taskgroup plan` of items outside of the TaskGroup: found beside it, given by a file, or not at hand."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskgroup.local.manifests import ManifestError
from taskgroup.local.plan import Output, print_plan

LIST = "name\nann\nbob\n"
KEY = {"name": "people", "key": "people.csv"}
GROUP: dict[str, Any] = {
    "apiVersion": "taskgroups.dev/v1alpha1",
    "kind": "TaskGroup",
    "metadata": {"name": "mails"},
    "spec": {
        "itemsFrom": {"configMap": KEY},
        "template": {"task": "mails.send", "args": ["$(item.name)"]},
        "workers": {"image": "a", "app": "a"},
    },
}


def plan(folder: Path, source: dict[str, Any], *beside: dict[str, Any], items: Path | None = None) -> dict[str, Any]:
    """What is planned for items of this source."""
    path, out = folder / "group.yaml", io.StringIO()
    group = {**GROUP, "spec": {**GROUP["spec"], "itemsFrom": source}}
    path.write_text(yaml.safe_dump_all([*beside, group]))
    print_plan(str(path), 3, Output.JSON, out, items)
    whole = json.loads(out.getvalue())
    assert whole["leftOut"] == [], "what was read is not left out"
    found: dict[str, Any] = whole["groups"][0]
    return found


def stored(kind: str, **fields: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "people"}, **fields}


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("source", "beside"),
    [
        ({"configMap": KEY}, stored("ConfigMap", data={"people.csv": LIST})),
        ({"configMap": KEY}, stored("ConfigMap", binaryData={"people.csv": coded(LIST)})),
        ({"secret": KEY}, stored("Secret", stringData={"people.csv": LIST})),
        ({"secret": KEY}, stored("Secret", data={"people.csv": coded(LIST)})),
    ],
)
def test_an_object_of_the_same_file_has_the_items(
    tmp_path: Path, source: dict[str, Any], beside: dict[str, Any]
) -> None:
    found = plan(tmp_path, source, beside)

    assert found["items"] == 2
    assert [message["args"] for message in found["first"]] == [["ann"], ["bob"]]


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": KEY},
        {"persistentVolumeClaim": {"claimName": "files", "path": "in/people.csv"}},
        {"s3": {"endpoint": "http://127.0.0.1:1", "bucket": "lists", "key": "people.csv"}},
        {"url": "http://127.0.0.1:1/people.csv"},
    ],
)
def test_a_file_stands_for_any_source(tmp_path: Path, source: dict[str, Any]) -> None:
    content = tmp_path / "any-name"
    content.write_text(LIST)

    assert plan(tmp_path, source, items=content)["items"] == 2


@pytest.mark.parametrize(
    ("source", "beside", "sentence"),
    [
        ({"configMap": KEY}, [], "the ConfigMap people does not stand in the same file, and here is no cluster: --"),
        ({"secret": KEY}, [stored("ConfigMap", data={})], "the Secret people does not stand in the same file"),
        ({"configMap": KEY}, [stored("ConfigMap", data={})], "the ConfigMap people has no key 'people.csv'"),
        ({"secret": KEY}, [stored("Secret", data={"people.csv": "?"})], "is not base64; correct it."),
        ({"persistentVolumeClaim": {"claimName": "a", "path": "b.csv"}}, [], "a volume is known to a cluster alone: -"),
        ({"url": "http://127.0.0.1:1/a.csv"}, [], "The URL cannot be reached: "),
        ({"url": "http://127.0.0.1:1/a.csv"}, [], "--items FILE gives its content instead."),
        ({"configMap": KEY}, [stored("ConfigMap", data={"people.csv": "name\n1,2\n"})], "Line 2 has 2 values"),
        ({"configMap": KEY, "secret": KEY}, [], "spec.itemsFrom: give exactly one of before, configMap, "),
    ],
)  # fmt: skip
def test_what_is_not_at_hand_is_said_with_the_remedy(
    tmp_path: Path, source: dict[str, Any], beside: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(ManifestError) as found:
        plan(tmp_path, source, *beside)

    assert sentence in str(found.value)
    assert "(mails)" in str(found.value)


def test_a_file_for_a_group_that_has_its_items_is_a_mistake(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/sequence.yaml"
    with pytest.raises(ManifestError, match="its items stand in it; leave --items out"):
        print_plan(str(example), 1, Output.JSON, io.StringIO(), tmp_path / "a.csv")
