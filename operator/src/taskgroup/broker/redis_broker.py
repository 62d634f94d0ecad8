"""One Redis as the broker of groups and pools."""

from taskgroup.api.backend import TransportOptions
from taskgroup.broker.inspection import RedisInspection
from taskgroup.broker.redis_groups import RedisGroups
from taskgroup.broker.redis_pools import RedisPools
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.network import Network
from taskgroup.transport.tls import PLAIN, Certificates


class RedisBroker:
    """All sides of the broker over one pool of connections."""

    def __init__(
        self,
        url: str,
        options: TransportOptions | None = None,
        network: Network | None = None,
        certificates: Certificates = PLAIN,
    ) -> None:
        """Opens no connection yet; ValueError with a sentence when `url` is not a Redis URL."""
        options = options or TransportOptions()
        prefix = options.global_key_prefix or ""
        self._redis = RedisConnection(url, options, __package__, network, certificates)
        self.address = self._redis.address
        self.groups = RedisGroups(self._redis, prefix)
        self.pools = RedisPools(self._redis, prefix)
        self.inspection = RedisInspection(self._redis, prefix)

    async def ping(self) -> None:
        """BrokerError unless the server answers and accepts the credentials."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()
