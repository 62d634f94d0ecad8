"""What a Redis answers is read within bounds; whatever else its bytes are, they are refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from support.redis_wire import wire
from taskgroup.transport.answers import INCOMPLETE, AnswerReader, TooLongError

LIMIT = 100_000


def read_all(data: bytes, step: int = 10_000, limit: int = LIMIT) -> list[Any]:
    """All answers in `data`, which comes in pieces."""
    reader, answers = AnswerReader(limit), list[Any]()
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while (answer := reader.next()) is not INCOMPLETE:
            answers.append(answer)
    return answers


SCALARS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50))
ANSWERS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=20)


def depth(value: Any) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(st.lists(ANSWERS.filter(lambda value: depth(value) <= 4), max_size=5), st.integers(1, 200))
def test_what_redis_sends_is_read_however_it_is_cut(answers: list[Any], step: int) -> None:
    assert read_all(b"".join(map(wire, answers)), step) == answers


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_answers_or_refused(data: bytes, step: int) -> None:
    with suppress(InvalidResponse):
        read_all(data, step)


@pytest.mark.parametrize(
    "data",
    [
        b"*1000000000\r\n",
        b"*9223372036854775807\r\n",
        b"$9223372036854775807\r\n",
        b"*500\r\n" + b"*500\r\n" * 3,
        b"+" + b"x" * 70_000,
        b"*700\r\n" + b"*0\r\n" * 600 + b"$90000\r\n",
    ],
)
def test_what_is_announced_counts_before_it_is_there(data: bytes) -> None:
    with pytest.raises(TooLongError):
        read_all(data)


def test_all_answers_to_one_request_share_the_limit_and_the_next_request_has_its_own() -> None:
    reader = AnswerReader(1_000)
    for _ in range(3):
        reader.begin()
        for size in (300, 300):
            reader.feed(wire(b"x" * size))
            assert len(reader.next()) == size
    reader.feed(wire(b"x" * 300))
    with pytest.raises(TooLongError):
        reader.next()


def test_deep_answers_are_refused() -> None:
    with pytest.raises(InvalidResponse, match="nested"):
        read_all(b"*1\r\n" * 50)


@pytest.mark.parametrize("data", [b":1_0\r\n", b":\r\n", b":1e3\r\n", b"$x\r\n", b"%1\r\n", b"\r\n", b":" + b"9" * 40])
def test_what_is_no_redis_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidResponse):
        read_all(data + b"\r\n")


def test_errors_are_values_of_their_class() -> None:
    missing, other = read_all(b"-NOSCRIPT No matching script.\r\n-WRONGTYPE \xff\r\n")

    assert isinstance(missing, NoScriptError)
    assert isinstance(other, ResponseError)
