"""Real servers that component tests share; each test finds them empty."""

from collections.abc import Iterator

import pytest
import redis

from support.api_server import cluster as cluster
from support.api_server import group as group
from support.api_server import namespace as namespace
from support.api_server import restricted as restricted
from support.redis_server import RedisServer, redis_server
from support.task_groups import Bench, running_bench


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One Redis for the whole run; a test that kills it starts its own instead."""
    with redis_server() as server:
        yield server


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own; files whose tests share one have their own fixture."""
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """URL of an empty Redis."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis.url


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that Redis."""
    with redis.Redis.from_url(redis_url) as found:
        yield found
