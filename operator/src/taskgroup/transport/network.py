"""What all connections of one process share: name resolution, the servers that may be dialled, memory for answers.

Names are resolved without threads: a tenant's name server that never answers must not hold a thread that the Kubernetes
client or another tenant needs. The address that was checked is the one that is dialled.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

import aiodns

from taskgroup.api.names import Reason
from taskgroup.core.servers import ANY_SERVER, AllowedServers
from taskgroup.transport.call_metrics import UNMEASURED, CallMetrics
from taskgroup.transport.errors import BrokerError
from taskgroup.transport.shares import Shares

_LOOKUP_SECONDS = 2.0
"""Of one question to one name server; a connection attempt has its own limit."""
_LOOKUP_TRIES = 3
_MOST_ADDRESSES = 4


@dataclass(slots=True)
class Network:
    """One for all connections; without arguments, every server may be dialled."""

    allowed: AllowedServers = ANY_SERVER
    shares: Shares = field(default_factory=Shares)
    forwards: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """Server and port to the port of this machine that leads there. Its certificate is still that of the server."""
    metrics: CallMetrics = UNMEASURED
    _resolver: aiodns.DNSResolver | None = field(default=None, init=False)

    async def addresses(self, host: str) -> list[str]:
        """The addresses of `host` that may be dialled, a few at most; OSError when there is no such name.

        BrokerError when none of them is allowed.
        """
        found = await self._resolve(host)
        allowed = [address for address in found if self.allowed.permits(host, address)]
        if found and not allowed:
            raise BrokerError(Reason.SERVER_NOT_ALLOWED, _refusal(host))
        return allowed[:_MOST_ADDRESSES]

    async def close(self) -> None:
        """Give up all questions."""
        resolver, self._resolver = self._resolver, None
        if resolver is not None:
            await resolver.close()

    async def _resolve(self, host: str) -> list[str]:
        if _is_address(host):
            return [host]
        if host == "localhost":
            return ["127.0.0.1", "::1"]
        if self._resolver is None:
            self._resolver = aiodns.DNSResolver(timeout=_LOOKUP_SECONDS, tries=_LOOKUP_TRIES)
        try:
            answer = await self._resolver.getaddrinfo(host, socket.AF_UNSPEC)
        except aiodns.error.DNSError as error:
            raise _name_error(error) from None
        nodes = sorted(answer.nodes, key=lambda node: node.family != socket.AF_INET)
        return [node.addr[0].decode() for node in nodes]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name_error(error: aiodns.error.DNSError) -> OSError:
    """As the C library says it, which `errors` knows."""
    code = error.args[0] if error.args else None
    if code in (aiodns.error.ARES_ETIMEOUT, aiodns.error.ARES_ECONNREFUSED, aiodns.error.ARES_ESERVFAIL):
        return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _refusal(host: str) -> str:
    return (
        f"The operator may not connect to {host[:253]}: use another server, or let the operator's administrator add its"
        " name or network to brokers.allowed in the chart's values."
    )
