"""The ledger comes back from its bytes as it was, and other bytes are refused."""

import zlib
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import indexes, ledger
from taskgroup.core.completions import Failure
from taskgroup.core.indexes import full
from taskgroup.core.ledger import FailureGroup, Ledger
from taskgroup.core.snapshot import MAX_BYTES, decode, encode

some = st.frozensets(st.integers(0, 14), max_size=6).map(FrozenBitMap)
numbers = st.dictionaries(st.integers(0, 2**31), st.integers(0, 2**31), max_size=5).map(MappingProxyType)
times = st.floats(0, 2e9)
groups = st.builds(FailureGroup, st.builds(Failure, st.text(), st.text()), some, times)
books = st.builds(
    Ledger,
    total=st.integers(0, 10_000_000),
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
    unknown_task=st.text(),
)


@given(books)
def test_comes_back_from_its_bytes(kept: Ledger) -> None:
    assert decode(encode(kept)) == kept


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


def test_a_newer_format_asks_for_a_newer_operator() -> None:
    head = b'{"format":2,"sizes":[]}'

    with pytest.raises(ValueError, match="run a newer operator"):
        decode(zlib.compress(len(head).to_bytes(4, "big") + head))
