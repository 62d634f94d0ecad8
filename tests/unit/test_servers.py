"""Which servers the operator may dial."""

import pytest

from taskgroup.core.servers import ANY_SERVER, AllowedServers

METADATA = ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "::ffff:169.254.169.254"]
OWN = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "224.0.0.1"]
USUAL = ["10.1.2.3", "192.168.7.7", "203.0.113.9", "fd12::7", "2001:db8::1"]


@pytest.mark.parametrize("address", METADATA + OWN)
def test_this_machine_and_the_clouds_own_services_are_refused_by_default(address: str) -> None:
    assert not AllowedServers().permits("redis.example", address)
    assert not AllowedServers.parse(["*", "0.0.0.0/0", "::/0"]).permits("redis.example", address)


@pytest.mark.parametrize("address", USUAL)
def test_every_other_server_is_allowed_by_default(address: str) -> None:
    assert AllowedServers().permits("redis.example", address)
    assert AllowedServers.parse(["*"]).permits("redis.example", address)


def test_a_network_of_ones_own_allows_what_is_refused() -> None:
    allowed = AllowedServers.parse(["127.0.0.0/8", "::1"])

    assert allowed.permits("localhost", "127.0.0.1")
    assert allowed.permits("::1", "::1")
    assert not allowed.permits("x", "169.254.169.254")
    assert not allowed.permits("x", "10.0.0.1")


def test_names_and_networks() -> None:
    allowed = AllowedServers.parse(["*.cache.svc", "redis.Example.com", "10.2.0.0/16"])

    assert allowed.permits("main.cache.svc", "10.9.9.9")
    assert allowed.permits("REDIS.example.com.", "203.0.113.9")
    assert allowed.permits("anything", "10.2.3.4")
    assert not allowed.permits("anything", "10.3.3.4")
    assert not allowed.permits("redis.example.com.evil.net", "203.0.113.9")


def test_a_name_that_resolves_to_this_machine_is_refused_although_the_name_is_allowed() -> None:
    assert not AllowedServers.parse(["redis.example.com"]).permits("redis.example.com", "127.0.0.1")


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "a b", "http://x", "x/24", "é"])
def test_what_is_neither_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="no host name, no pattern"):
        AllowedServers.parse([entry])


def test_a_persons_own_command_line_dials_everything() -> None:
    assert ANY_SERVER.permits("localhost", "127.0.0.1")
