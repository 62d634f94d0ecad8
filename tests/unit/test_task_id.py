"""Ids of tasks: what the operator writes it reads again, and nothing else passes for an item."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.core.task_id import TaskId, task_id

MOST = 9_999_999_999
"""Ten digits, as many as an id may have."""


@given(uid=st.text(min_size=1), index=st.integers(0, MOST), attempt=st.integers(0, MOST))
def test_parse_is_the_inverse_of_str(uid: str, index: int, attempt: int) -> None:
    item = TaskId(uid, index, attempt)

    assert TaskId.parse(str(item)) == item
    assert str(item) == task_id(uid, index, attempt)


@given(text=st.text() | st.from_regex(r"[a-z.~0-9]*", fullmatch=True))
def test_what_is_read_was_written_with_these_numbers(text: str) -> None:
    item = TaskId.parse(text)

    assert item is None or (item.uid, item.index, item.attempt) == _by_hand(text)


def test_the_first_attempt_is_not_written() -> None:
    assert str(TaskId("u", 7)) == task_id("u", 7) == "u.7"
    assert str(TaskId("u", 7, 2)) == "u.7~2"


@given(subtask=st.uuids().map(str))
def test_ids_that_celery_makes_are_no_items(subtask: str) -> None:
    assert TaskId.parse(subtask) is None


@pytest.mark.parametrize(
    "text",
    [
        "u", "u.", ".1", "u.x", "u.1~", "u.1~0", "u.1~01", "u.1~x", "u.1~1~1", "u.-1", "u. 1", "u.1 ", "u.1\n", "",
        "u.\u0663", "u.1~\u0663", "u.12345678901", "u.1~12345678901", f"u.{'9' * 10_000}", str(uuid.UUID(int=0)),
        None, 3, b"u.1",
    ],
)  # fmt: skip
def test_other_texts_and_values_are_no_items(text: object) -> None:
    assert TaskId.parse(text) is None


@pytest.mark.parametrize(
    ("text", "item"), [("u.1.2", TaskId("u.1", 2)), ("u.1~1.2", TaskId("u.1~1", 2)), ("x\ny.3~4", TaskId("x\ny", 3, 4))]
)
def test_only_the_end_of_an_id_tells_the_item(text: str, item: TaskId) -> None:
    assert TaskId.parse(text) == item


def _by_hand(text: str) -> tuple[str, int, int]:
    uid, _, numbers = text.rpartition(".")
    index, _, attempt = numbers.partition("~")
    return uid, int(index), int(attempt or 0)
