"""One Redis as the broker of groups and pools."""

from taskgroup.api.spec import TransportOptions
from taskgroup.broker.redis_groups import RedisGroups
from taskgroup.broker.redis_pools import RedisPools
from taskgroup.transport.connection import RedisConnection


class RedisBroker:
    """Both sides of the broker over one pool of connections."""

    def __init__(self, url: str, options: TransportOptions | None = None) -> None:
        """Opens no connection yet; ValueError with a sentence when `url` is not a Redis URL."""
        options = options or TransportOptions()
        self._redis = RedisConnection(url, options, __package__)
        self.address = self._redis.address
        self.groups = RedisGroups(self._redis, options.global_key_prefix or "")
        self.pools = RedisPools(self._redis, options.global_key_prefix or "")

    async def ping(self) -> None:
        """BrokerError unless the server answers and accepts the credentials."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()
