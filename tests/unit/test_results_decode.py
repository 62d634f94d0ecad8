"""Stored results: Celery's own values are understood, and no bytes whatever raise an exception."""

import bz2
import json
import tracemalloc
from typing import Any

import pytest
from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC, compress_payload
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.core.completions import Failure
from taskgroup.results.decode import HEAD_BYTES, MESSAGE_LENGTH, StoredResult, decode, ending, failure


def stored(result: Any, status: str = "FAILURE") -> StoredResult:
    found = decode(json.dumps({"status": status, "result": result, "traceback": None}).encode())
    assert found
    return found


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
    why = failure(stored(result))

    assert (why.reason, why.message) == (exception, message)


@given(raw=st.binary() | st.text().map(str.encode) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()
))  # fmt: skip
def test_no_bytes_raise(raw: bytes) -> None:
    found = decode(raw)

    assert found is None or failure(found).message is not None


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
    ("exc_message", "message"),
    [
        (["x" * MANY], "x" * MESSAGE_LENGTH),
        ("x" * MANY, "x" * MESSAGE_LENGTH),
        (["a\n\0\ud800é", 2], "a\n\0?é, 2"),
        (["a\n\ud800é", "x" * MANY], "a\n?é"),
    ],
)
@pytest.mark.parametrize(("status", "reason"), [("FAILURE", "ValueError"), ("REVOKED", "Revoked")])
def test_a_reason_is_text_whatever_was_raised(exc_message: Any, message: str, status: str, reason: str) -> None:
    raised = {"exc_type": "ValueError", "exc_message": exc_message}
    value = json.dumps({"status": status, "result": raised, "traceback": "T"}).encode()

    assert ending(value[:HEAD_BYTES]) == (status, Failure(reason, message))


@pytest.mark.parametrize(
    ("text", "reason"), [("expired", "Expired"), ("revoked", "Revoked"), ("terminated", "Revoked"), ("", "Revoked")]
)
def test_a_task_that_was_revoked_says_whether_it_had_expired(text: str, reason: str) -> None:
    raised = {"exc_type": "TaskRevokedError", "exc_message": [text], "exc_module": "celery.exceptions"}

    assert failure(stored(raised, "REVOKED")) == Failure(reason, text)


def test_a_value_that_broke_off_still_shows_its_state() -> None:
    assert ending(b'{"status": "FAILURE", "result": {"exc_ty') == ("FAILURE", Failure("Unknown", ""))


def test_a_compressed_value_takes_no_more_memory_than_it_may() -> None:
    bomb = COMPRESSED_PAYLOAD_MAGIC + b"application/x-bz2\0" + bz2.compress(b'{"status": "SUCCESS"' + b" " * 50_000_000)
    tracemalloc.start()
    found = ending(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found is not None
    assert found[0] == "SUCCESS"
    assert peak < 10_000_000
