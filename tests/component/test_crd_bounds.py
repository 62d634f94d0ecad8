"""Every type, bound, pattern, enum and required field of the CRD, with accepted values and a refused one."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.crd.bounds import Bound, bounds
from support.crd.objects import SPECS, STATUS, task_group
from support.crd.server import Answer, TaskGroups, shared_task_groups


@pytest.fixture(scope="module")
def groups() -> TaskGroups:
    return shared_task_groups()


@pytest.fixture(scope="module")
def stored(groups: TaskGroups) -> Iterator[dict[str, Any]]:
    """An object whose status may be written."""
    answer = groups.create(task_group(SPECS["items"], name=f"bounds-{uuid.uuid4().hex[:12]}"), keep=True).body
    yield answer
    groups.delete(answer["metadata"]["name"])


def write(groups: TaskGroups, stored: dict[str, Any], bound: Bound, value: Any) -> Answer:
    body = bound.body(value)
    if bound.is_status:
        return groups.replace_status({**stored, "status": body["status"]})
    return groups.create({key: body[key] for key in body if key != "status"})


@pytest.mark.parametrize("bound", list(bounds()), ids=lambda bound: f"{bound.path}-{bound.keyword}")
def test_a_bound_is_kept(groups: TaskGroups, stored: dict[str, Any], bound: Bound) -> None:
    accepted = [write(groups, stored, bound, value) for value in bound.good]
    refused = write(groups, stored, bound, bound.bad)

    assert [answer.message for answer in accepted if not answer.accepted] == []
    assert not refused.accepted
    assert bound.words in refused.message


@pytest.mark.parametrize("form", SPECS)
def test_every_field_at_once_is_stored_as_it_is(groups: TaskGroups, form: str) -> None:
    answer = groups.create(task_group(SPECS[form])).body
    assert answer["spec"] == SPECS[form]


def test_every_status_field_at_once_is_stored_as_it_is(groups: TaskGroups, stored: dict[str, Any]) -> None:
    answer = groups.replace_status({**stored, "status": STATUS}).body
    assert answer["status"] == STATUS
