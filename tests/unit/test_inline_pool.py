"""A group's own workers as a pool: where its messages go, and when its workers are rolled."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgroup.api.backend import TransportOptions
from taskgroup.broker.port import Route
from taskgroup.connections.shared import Address
from taskgroup.groups.inline_pool import backend_hash, route_of
from taskgroup.transport.tls import Certificates

PLAIN = TransportOptions()
ADDRESS = Address("redis://:s3cr3t@broker:6379/0", "redis://:s3cr3t@results:6379/0", PLAIN, PLAIN)
urls = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)


def test_the_pool_of_a_group_bears_its_uid() -> None:
    assert route_of("u") == Route("u", "u")


@pytest.mark.parametrize(
    "rotated",
    [
        replace(ADDRESS, broker_url="redis://:new@broker:6379/0"),
        replace(ADDRESS, broker_certificates=Certificates("new authority")),
        replace(ADDRESS, results_certificates=Certificates("", "certificate", "new key")),
        replace(ADDRESS, results_url="redis://:new@results:6379/0"),
        replace(ADDRESS, broker_url=ADDRESS.results_url, results_url=ADDRESS.broker_url),
    ],
)
def test_a_rotated_secret_changes_the_hash(rotated: Address) -> None:
    assert backend_hash(rotated) != backend_hash(ADDRESS)


def test_the_hash_stays_while_the_urls_do() -> None:
    prefixed = TransportOptions(global_key_prefix="shop:")

    assert backend_hash(replace(ADDRESS)) == backend_hash(ADDRESS)
    assert backend_hash(Address(ADDRESS.broker_url, ADDRESS.results_url, prefixed, prefixed)) == backend_hash(ADDRESS)


@given(first=st.tuples(urls, urls), second=st.tuples(urls, urls))
def test_the_hash_differs_exactly_when_a_url_does(first: tuple[str, str], second: tuple[str, str]) -> None:
    hashes = [backend_hash(Address(broker, results, PLAIN, PLAIN)) for broker, results in (first, second)]

    assert (hashes[0] == hashes[1]) == (first == second)


def test_the_hash_is_the_same_in_every_process_and_tells_nothing() -> None:
    assert backend_hash(ADDRESS) == "3495adc345c3bc6a"
    assert "s3cr3t" not in backend_hash(ADDRESS)
