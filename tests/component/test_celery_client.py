"""The tests' own client of Celery closes what it opened, whatever became of its tasks."""

from typing import Any

import pytest
from celery import chain, signature
from celery.exceptions import TimeoutError as NoResult

from support.celery_client import celery_client
from support.redis_server import RedisServer, redis_server
from support.wait import eventually


def sent(server: RedisServer) -> Any:
    """The result of a chain that nobody runs, which has been waited for."""
    with celery_client(server.url) as client:
        result = chain(signature("a", app=client), signature("b", app=client), app=client).apply_async()
        with pytest.raises(NoResult):
            result.get(timeout=0.01)
    return result


def test_no_connection_is_left_and_none_is_opened_when_a_result_goes() -> None:
    with redis_server() as server, server.client() as own:
        result = sent(server)
        eventually(lambda: len(own.client_list()) == 1, state=own.client_list)
        opened = own.info("stats")["total_connections_received"]
        del result

        assert own.info("stats")["total_connections_received"] == opened


def test_a_second_client_of_the_same_redis_is_served() -> None:
    with redis_server() as server, server.client() as own:
        sent(server)
        sent(server)
        eventually(lambda: len(own.client_list()) == 1, state=own.client_list)
