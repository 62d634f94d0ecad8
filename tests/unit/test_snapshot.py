"""The ledger comes back from its bytes as it was, and other bytes are refused."""

import tracemalloc
import zlib
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap, FrozenBitMap

from support.builders import indexes, ledger
from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import FailureGroup
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import MAX_BYTES, decode, encode
from taskgroup.core.tokens import Tokens

some = st.frozensets(st.integers(0, 14), max_size=6).map(FrozenBitMap)
numbers = st.dictionaries(st.integers(0, 2**31), st.integers(0, 2**31), max_size=5).map(MappingProxyType)
times = st.floats(0, 2e9)
groups = st.builds(FailureGroup, st.builds(Failure, st.text(), st.text(), st.text()), some, times)
books = st.builds(
    Ledger,
    total=st.integers(15, 10_000_000),
    nonce=st.text(),
    cursors=numbers,
    returned=some,
    succeeded=some,
    failed=some,
    cancelled=some,
    attempts=numbers,
    missed=numbers,
    failures=st.lists(groups, max_size=4).map(tuple),
    ran_seconds=times,
    running_since=st.none() | times,
    tokens=st.builds(Tokens, times.filter(bool), st.booleans()),
    unknown_tasks=st.lists(st.text(), max_size=3).map(tuple),
)


@given(books)
def test_comes_back_from_its_bytes(kept: Ledger) -> None:
    back = decode(encode(kept))

    assert back == kept
    assert [group.failure.traceback for group in back.failures] == [group.failure.traceback for group in kept.failures]


def test_a_snapshot_of_a_version_without_tracebacks_is_read() -> None:
    kept = ledger(2, dispatched=2, failed=indexes(1))
    raw = zlib.decompress(encode(kept))
    length = int.from_bytes(raw[:4], "big")
    head = orjson.loads(raw[4 : 4 + length])
    head["failures"] = [failure[:3] for failure in head["failures"]]
    text = orjson.dumps(head)

    assert decode(zlib.compress(len(text).to_bytes(4, "big") + text + raw[4 + length :])) == kept


def test_a_million_ended_items_fit_into_a_kilobyte() -> None:
    kept = ledger(1_000_000, dispatched=1_000_000, succeeded=full(999_998), failed=indexes(999_998, 999_999))

    assert len(encode(kept)) < 1_000


def test_half_of_a_million_at_random_fits_into_a_config_map() -> None:
    scattered = FrozenBitMap(index for index in range(1_000_000) if index * 2_654_435_761 % 2**32 < 2**31)

    assert len(encode(ledger(1_000_000, dispatched=1_000_000, succeeded=scattered))) < 700_000


BOMB = zlib.compress(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", encode(ledger())[:-4], BOMB], ids=["empty", "nonsense", "cut", "bomb"]
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="the ledger is damaged"):
        decode(data)


@pytest.mark.parametrize(
    "head", [b"", b"[", b"[]", b"{}", b'{"format":1}', b'{"format":1,"sizes":[1,2,3,4]}', b'{"format":1,"sizes":"x"}']
)
def test_bytes_that_are_no_ledger_are_refused(head: bytes) -> None:
    raw = len(head).to_bytes(4, "big") + head
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong, the caller starts anew
        decode(zlib.compress(raw))


HEAD = {
    "format": 1,
    "sizes": [8, 8, 8, 8],
    "total": 15,
    "nonce": "a",
    "ran_seconds": 0,
    "running_since": None,
    "unknown_task": "",
    "cursors": {},
    "attempts": {},
    "missed": {},
    "failures": [],
}
EMPTY = FrozenBitMap().serialize()


def packed(head: object, blobs: bytes = EMPTY * 4) -> bytes:
    text = head if isinstance(head, bytes) else orjson.dumps(head)
    return zlib.compress(len(text).to_bytes(4, "big") + text + blobs)


EVERY_INDEX = BitMap()
EVERY_INDEX.add_range(0, 2**32)
RUNS = EVERY_INDEX.serialize()


def test_the_head_that_the_hostile_ones_differ_from_is_read() -> None:
    assert decode(packed(HEAD)) == Ledger(total=15, nonce="a")


@pytest.mark.parametrize(
    ("changed", "blobs"),
    [
        ({"total": "15"}, EMPTY * 4),
        ({"total": 10**9}, EMPTY * 4),
        ({"total": -1}, EMPTY * 4),
        ({"total": True}, EMPTY * 4),
        ({"ran_seconds": "x"}, EMPTY * 4),
        ({"ran_seconds": 1e300}, EMPTY * 4),
        ({"nonce": 5}, EMPTY * 4),
        ({"nonce": "a" * 100_000}, EMPTY * 4),
        ({"cursors": []}, EMPTY * 4),
        ({"cursors": {"0": "x"}}, EMPTY * 4),
        ({"attempts": {"9" * 5_000: 1}}, EMPTY * 4),
        ({"attempts": {"-1": 1}}, EMPTY * 4),
        ({"failures": [["a", "b"]]}, EMPTY * 4),
        ({"failures": [[1, "b", 0]], "sizes": [8] * 5}, EMPTY * 5),
        ({"sizes": [8] * 100_000, "failures": [["a", "b", 0]] * 99_996}, EMPTY * 100_000),
        ({"sizes": [8, len(RUNS), 8, 8]}, EMPTY + RUNS + EMPTY * 2),
        ({"sizes": [8, -8, 8, 8]}, EMPTY * 4),
        ({"format": [[[]]]}, EMPTY * 4),
    ],
)
def test_values_that_no_operator_writes_are_refused(changed: dict[str, object], blobs: bytes) -> None:
    """They became part of the books, and decisions failed over them again and again."""
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong, the caller starts anew
        decode(packed(HEAD | changed, blobs))


def test_an_item_beyond_the_total_is_refused() -> None:
    item = FrozenBitMap([15]).serialize()
    with pytest.raises(ValueError, match="beyond its end"):
        decode(packed(HEAD | {"sizes": [8, len(item), 8, 8]}, EMPTY + item + EMPTY * 2))


@pytest.mark.parametrize(
    "element", [b"[]", b"{}", b'{"a":0}', b"[0]", b'""', b"1.5"], ids=["list", "map", "pair", "one", "text", "number"]
)
def test_a_head_of_millions_of_parts_is_refused_before_it_is_read(element: bytes) -> None:
    """58 KB of text unpacked to 2.0 GB of objects, and the operator was killed five times for it."""
    head = b'{"format":1,"sizes":[' + b",".join([element] * 4_000_000) + b"]}"
    data = packed(head)
    del head
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="damaged"):
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BYTES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
hostile_heads = st.dictionaries(st.sampled_from(list(HEAD)), json_values, max_size=4).map(lambda some: HEAD | some)


@given(st.binary(max_size=200) | st.builds(packed, hostile_heads | st.binary(max_size=50), st.binary(max_size=50)))
def test_any_bytes_are_a_ledger_or_a_sentence(data: bytes) -> None:
    try:
        kept = decode(data)
    except ValueError:
        return
    assert decode(encode(kept)) == kept


def test_a_newer_format_asks_for_a_newer_operator() -> None:
    head = b'{"format":2,"sizes":[]}'

    with pytest.raises(ValueError, match="run a newer operator"):
        decode(zlib.compress(len(head).to_bytes(4, "big") + head))
