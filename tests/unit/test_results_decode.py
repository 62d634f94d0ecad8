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
from taskgroup.results.decode import HEAD_BYTES, StoredResult, decode, ending
from taskgroup.results.failures import MESSAGE_LENGTH, failure


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
        (["x" * MANY], "x" * (MESSAGE_LENGTH - 1) + "…"),
        ("x" * MANY, "x" * (MESSAGE_LENGTH - 1) + "…"),
        (["a\n\0\ud800é", 2], "a\n\0?é, 2"),
        (["a\n\ud800é", "x" * MANY], "a\n?é"),
    ],
)
@pytest.mark.parametrize(("status", "reason"), [("FAILURE", "ValueError"), ("REVOKED", "Revoked")])
def test_a_reason_is_text_whatever_was_raised(exc_message: Any, message: str, status: str, reason: str) -> None:
    raised = {"exc_type": "ValueError", "exc_message": exc_message}
    value = json.dumps({"status": status, "result": raised, "traceback": "T"}).encode()

    stored = ending(value[:HEAD_BYTES])
    assert stored is not None
    assert (stored.status, failure(stored)) == (status, Failure(reason, message))


def test_a_value_that_broke_off_still_shows_its_state() -> None:
    assert ending(b'{"status": "FAILURE", "result": {"exc_ty') == StoredResult("FAILURE", None)


def test_a_traceback_is_read_from_a_value_that_broke_off_only_when_it_is_whole() -> None:
    whole = b'{"status": "FAILURE", "result": {"exc_type": "E"}, "traceback": "a\\nb\\"", "children": [['
    cut = whole[: whole.index(b'\\"')]

    assert ending(whole) == StoredResult("FAILURE", {"exc_type": "E"}, 'a\nb"')
    assert ending(cut) == StoredResult("FAILURE", {"exc_type": "E"}, None)


def test_a_compressed_value_takes_no_more_memory_than_it_may() -> None:
    bomb = COMPRESSED_PAYLOAD_MAGIC + b"application/x-bz2\0" + bz2.compress(b'{"status": "SUCCESS"' + b" " * 50_000_000)
    tracemalloc.start()
    found = ending(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found is not None
    assert found.status == "SUCCESS"
    assert peak < 10_000_000
