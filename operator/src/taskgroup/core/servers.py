"""Which servers the operator may talk to: a TaskGroup's author chooses the URL, and the operator's network position is
not theirs.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_PATTERN = re.compile(r"[A-Za-z0-9.*_-]{1,253}")
_REFUSED: tuple[IPNetwork, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
            "::/128", "::1/128", "fe80::/10", "ff00::/8",
            # Metadata services of clouds that are not link-local: Alibaba, Azure, Oracle, AWS.
            "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32",
        ),
    )
)  # fmt: skip
_EMBEDDING = ip_network("64:ff9b::/96")
"""NAT64: the last four bytes are an IPv4 address."""


@dataclass(frozen=True, slots=True)
class AllowedServers:
    """Patterns of names and networks; without any, every server but this machine and the cloud's own services."""

    names: tuple[str, ...] = ()
    networks: tuple[IPNetwork, ...] = ()
    everything: bool = False
    """For a person's own command line."""

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AllowedServers":
        """Each entry is a name, perhaps with `*`, an address or a network; ValueError with a sentence for others."""
        names, networks = list[str](), list[IPNetwork]()
        for entry in entries:
            network = _network(entry)
            if network is not None:
                networks.append(network)
            elif _PATTERN.fullmatch(entry):
                names.append(entry.lower())
            else:
                raise ValueError(
                    f"{entry[:80]!r} is no host name, no pattern such as *.svc, and no network in CIDR form"
                )
        return cls(tuple(names), tuple(networks))

    def permits(self, host: str, address: str) -> bool:
        """`address` is what `host` resolved to; it is what will be dialled."""
        if self.everything:
            return True
        found = _unwrapped(ip_address(address.partition("%")[0]))
        holding = [network for network in self.networks if found in network]
        refused = [network for network in _REFUSED if found in network]
        if refused:
            # A network that is wider than the refused one does not mean it.
            return any(_within(network, wide) for network in holding for wide in refused)
        if not self.names and not self.networks:
            return True
        return bool(holding) or any(fnmatchcase(host.lower().rstrip("."), name) for name in self.names)


ANY_SERVER = AllowedServers(everything=True)


def _network(entry: str) -> IPNetwork | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address carries, if any."""
    if isinstance(address, IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _EMBEDDING:
            carried = IPv4Address(int(address) & 0xFFFFFFFF)
        return carried or address
    return address


def _within(network: IPNetwork, wide: IPNetwork) -> bool:
    return network.version == wide.version and network.subnet_of(wide)  # type: ignore[arg-type]
