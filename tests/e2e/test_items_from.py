"""Items from outside of the TaskGroup, read by a real pod of the operator's image."""

import json

from support.kube import PODS
from support.space import Space
from taskgroup.cluster.item_readers import LABEL_ITEMS_OF

SQUARE = {"task": "numbers.square", "args": ["$(item.number)"]}


def config_map(space: Space, name: str, content: dict[str, str]) -> None:
    space.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": content})


def no_readers(space: Space) -> bool:
    return not space.kube.select(PODS, LABEL_ITEMS_OF)


def test_a_key_of_a_config_map_is_read_and_the_pod_goes(space: Space) -> None:
    lines = "".join(json.dumps({"number": number}) + "\n" for number in range(40))
    config_map(space, "numbers", {"numbers.jsonl": lines})

    group = space.create(itemsFrom={"configMap": {"name": "numbers", "key": "numbers.jsonl"}}, template=SQUARE)
    status = group.until_finished()

    assert (status["total"], status["succeeded"]) == (40, 40)
    assert [line["result"] for line in group.results()] == [number * number for number in range(40)]
    space.kube.until(lambda: no_readers(space))


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
