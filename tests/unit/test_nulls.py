"""Nulls that kubectl left out on the way are told; those that arrived, and those in lists, are not."""

import json
from typing import Any

import pytest

from support.builders import look, observed, queue, spec
from taskgroup.api.names import EventReason
from taskgroup.core.items.nulls import APPLIED, dropped_nulls

WRITTEN: dict[str, Any] = {"items": [1, None, {"a": None, "b": {"c": None, "d": 1}}]}
ARRIVED: dict[str, Any] = {"items": [1, None, {"b": {"d": 1}}]}


def annotations(applied: object) -> dict[str, str]:
    """What kubectl apply leaves behind."""
    return {APPLIED: applied if isinstance(applied, str) else json.dumps({"spec": applied})}


def test_nulls_that_did_not_arrive_are_counted() -> None:
    assert dropped_nulls(annotations(WRITTEN), ARRIVED) == 2
    assert dropped_nulls(annotations(WRITTEN), WRITTEN) == 0
    assert dropped_nulls({}, ARRIVED) == 0


@pytest.mark.parametrize(
    "text", ["", "null", "[null]", '{"spec": null', '{"spec": null}', '{"spec": [null]}', "[" * 9_999]
)
def test_an_annotation_that_is_no_object_tells_nothing(text: str) -> None:
    assert dropped_nulls(annotations(text), ARRIVED) == 0


def test_a_deep_object_is_read_to_its_end() -> None:
    text = '{"spec":' + '{"a":' * 200 + "null" + "}" * 201

    assert dropped_nulls(annotations(text), {}) == 1


def test_the_start_tells_it() -> None:
    started = look(observed(spec(), queue=queue(nonce=None)), dropped_nulls=2)
    [event] = [event for event in started.extra_events if event.reason is EventReason.NULLS_DROPPED]

    assert event.warning
    assert event.message.startswith("kubectl apply left out 2 nulls inside of objects, and the items run without them")
    assert not look(observed(spec(), queue=queue(nonce=None))).extra_events
