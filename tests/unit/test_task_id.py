"""Ids of tasks: what the operator writes it reads again, and nothing else passes for an item."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.core.task_id import TaskId, task_id
from taskgroup.core.units import MAX_STEPS, STEP_SIZE, unit_of

MOST = 9_999_999_999
"""Ten digits, as many as the attempt of an id may have."""
units = st.builds(unit_of, st.integers(0, STEP_SIZE - 1), st.integers(0, MAX_STEPS - 1))


@given(uid=st.uuids().map(str), unit=units, attempt=st.integers(0, MOST))
def test_parse_is_the_inverse_of_str(uid: str, unit: int, attempt: int) -> None:
    item = TaskId(uid, unit, attempt)

    assert TaskId.parse(str(item)) == item
    assert str(item) == task_id(uid, unit, attempt)


@given(text=st.text() | st.from_regex(r"[a-z.~0-9]*", fullmatch=True))
def test_what_is_read_was_written_with_these_numbers(text: str) -> None:
    item = TaskId.parse(text)

    assert item is None or (item.uid, item.unit, item.attempt) == _by_hand(text)


def test_the_first_attempt_is_not_written() -> None:
    assert str(TaskId("u", 7)) == task_id("u", 7) == "u.7"
    assert str(TaskId("u", 7, 2)) == "u.7~2"


def test_a_later_step_stands_behind_the_index() -> None:
    assert str(TaskId("u", unit_of(7, 2))) == "u.7.2"
    assert str(TaskId("u", unit_of(7, 2), 3)) == "u.7.2~3"


@given(subtask=st.uuids().map(str))
def test_ids_that_celery_makes_are_no_items(subtask: str) -> None:
    assert TaskId.parse(subtask) is None


@pytest.mark.parametrize(
    "text",
    [
        "u", "u.", ".1", "u.x", "u.1~", "u.1~0", "u.1~01", "u.1~x", "u.1~1~1", "u.-1", "u. 1", "u.1 ", "u.1\n", "",
        "u.\u0663", "u.1~\u0663", "u.123456789", f"u.{STEP_SIZE}", "u.1.0", "u.1.", "u.1.01", f"u.1.{MAX_STEPS}",
        "u.1.2.3", "u.1~1.2",
        "u.1~12345678901", f"u.{'9' * 10_000}", str(uuid.UUID(int=0)),
        None, 3, b"u.1",
    ],
)  # fmt: skip
def test_other_texts_and_values_are_no_items(text: object) -> None:
    assert TaskId.parse(text) is None


def _by_hand(text: str) -> tuple[str, int, int]:
    uid, _, numbers = text.partition(".")
    place, _, attempt = numbers.partition("~")
    index, _, step = place.partition(".")
    return uid, unit_of(int(index), int(step or 0)), int(attempt or 0)
