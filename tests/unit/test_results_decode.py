"""Decoding of stored results: Celery's values are read, and no bytes raise an exception."""

import bz2
import json
import tracemalloc
from typing import Any

import pytest
from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC, compress_payload
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.results.decode import HEAD_BYTES, MESSAGE_LENGTH, Failure, StoredResult, decode, failure, outcome


def stored(result: Any, status: str = "FAILURE") -> StoredResult:
    decoded = decode(json.dumps({"status": status, "result": result, "traceback": None}).encode())
    assert decoded
    return decoded


@pytest.mark.parametrize("value", [None, 0, 2**70, "é", [1, {"a": [None]}], {}])
def test_values_come_back_as_they_were(value: object) -> None:
    assert stored(value, "SUCCESS") == StoredResult("SUCCESS", value)


@pytest.mark.parametrize("method", ["gzip", "bzip2"])
def test_compressed_results_are_read(method: str) -> None:
    plain = b'{"status": "SUCCESS", "result": 3, "traceback": null}'

    assert decode(compress_payload(plain, method)) == StoredResult("SUCCESS", 3)


@pytest.mark.parametrize(
    ("result", "exception", "message"),
    [
        ({"exc_type": "ValueError", "exc_message": ["boom"], "exc_module": "builtins"}, "ValueError", "boom"),
        ({"exc_type": "OSError", "exc_message": [2, "No such file"]}, "OSError", "2, No such file"),
        ({"exc_type": "KeyError", "exc_message": []}, "KeyError", ""),
        ({"exc_type": "X", "exc_message": "y" * 5000}, "X", "y" * MESSAGE_LENGTH),
        ({"exc_type": None, "exc_message": None}, "Unknown", ""),
        ({"unexpected": 1}, "Unknown", ""),
        ("just text", "Unknown", "just text"),
        (None, "Unknown", ""),
    ],
)
def test_the_reason_of_a_failure(result: Any, exception: str, message: str) -> None:
    assert failure(stored(result)) == Failure(exception, message)


@given(raw=st.binary() | st.text().map(str.encode) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()
))  # fmt: skip
def test_no_bytes_raise(raw: bytes) -> None:
    decoded = decode(raw)

    assert decoded is None or failure(decoded).message is not None


@pytest.mark.parametrize(
    "raw",
    [
        None, b"", b"\x80\x04pickle", b"[" * 100_000, b'{"status": 3}', b"[]",
        compress_payload(b"{}", "gzip")[:-4], compress_payload(b"{}", "gzip").replace(b"gzip", b"nope"),
        COMPRESSED_PAYLOAD_MAGIC + b"application/x-lzma\0no",
    ],
)  # fmt: skip
def test_what_is_no_result_is_none(raw: bytes | None) -> None:
    assert decode(raw) is None


MANY = 3 * HEAD_BYTES


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        ({"exc_type": "ValueError", "exc_message": ["x" * MANY]}, "FAILURE", "x" * MESSAGE_LENGTH),
        ({"exc_type": "ValueError", "exc_message": "x" * MANY}, "FAILURE", "x" * MESSAGE_LENGTH),
        ({"exc_type": "ValueError", "exc_message": ["a\n\0\ud800é", 2]}, "REVOKED", "a\n\0?é, 2"),
        ({"exc_type": "ValueError", "exc_message": ["a\n\ud800é", "x" * MANY]}, "FAILURE", "a\n?é"),
    ],
)
def test_a_reason_is_text_whatever_was_raised(raw: dict[str, Any], status: str, message: str) -> None:
    value = json.dumps({"status": status, "result": raw, "traceback": "T"}).encode()

    assert outcome(value[:HEAD_BYTES]) == (status, Failure("ValueError", message))


def test_a_value_that_broke_off_still_shows_its_state() -> None:
    assert outcome(b'{"status": "FAILURE", "result": {"exc_ty') == ("FAILURE", Failure("Unknown", ""))


def test_a_compressed_value_takes_no_more_memory_than_it_may() -> None:
    bomb = COMPRESSED_PAYLOAD_MAGIC + b"application/x-bz2\0" + bz2.compress(b'{"status": "SUCCESS"' + b" " * 50_000_000)
    tracemalloc.start()
    decoded = outcome(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert decoded is not None
    assert decoded[0] == "SUCCESS"
    assert peak < 10_000_000
