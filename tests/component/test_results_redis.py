"""Result keys in a real Redis, as Celery's own backend writes them."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis
from celery.exceptions import TaskRevokedError

from support.celery_client import celery_client
from taskgroup.api.backend import TransportOptions
from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure
from taskgroup.results.failures import UNREADABLE
from taskgroup.results.redis_results import RedisResults

# Celery's backend calls what redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

Store = Callable[..., None]


@pytest.fixture
async def results(redis_url: str) -> AsyncIterator[RedisResults]:
    found = RedisResults(redis_url)
    yield found
    await found.close()


@pytest.fixture
def store(redis_url: str) -> Store:
    """Store a result through Celery; keywords are settings of the app."""

    def through_celery(name: str, result: Any, state: str, **settings: Any) -> None:
        with celery_client(redis_url) as client:
            client.conf.update(settings)
            client.backend.store_result(name, result, state, traceback="Traceback: …" if state == "FAILURE" else None)

    return through_celery


async def test_only_three_states_are_ends(results: RedisResults, store: Store) -> None:
    states = ["SUCCESS", "FAILURE", "REVOKED", "PENDING", "STARTED", "RETRY", "PROGRESS", "A STATE WITH A LONG NAME"]
    for state in states:
        error = ValueError("x") if state in {"FAILURE", "RETRY"} else TaskRevokedError("revoked")
        store(state, error if state in {"FAILURE", "RETRY", "REVOKED"} else 1, state)

    assert await results.ended([*states, "absent"]) == {
        "SUCCESS": None,
        "FAILURE": Failure("ValueError", "x"),
        "REVOKED": Failure(Reason.REVOKED, "revoked"),
    }


async def test_every_chunk_of_many_ids_is_looked_up(results: RedisResults, redis_url: str) -> None:
    ids = [f"u.{index}" for index in range(5003)]
    with redis.Redis.from_url(redis_url) as client:
        client.mset({f"celery-task-meta-{name}": '{"status": "SUCCESS"' for name in ids[::7]})
        failures = {name: _failed(name) for name in ids[1::7]}
        client.mset({f"celery-task-meta-{name}": value for name, value in failures.items()})

    succeeded = dict.fromkeys(ids[::7])
    assert await results.ended(ids) == succeeded | {name: Failure("ValueError", name) for name in failures}
    assert await results.ended([]) == {}


RAN = {
    "ran": ('{"status": "SUCCESS", "run_seconds": 1.25, "result": 1}', 1.25),
    "spared": ('{"status":"FAILURE","run_seconds":0.0,"result":{"exc_type":"ValueError","exc_message":["x"]}}', 0.0),
    "silent": ('{"status": "SUCCESS", "result": {"run_seconds": 9}}', None),
    "odd": ('{"status": "SUCCESS", "run_seconds": 1.2.3, "result": 1}', None),
    "endless": ('{"status": "SUCCESS", "run_seconds": 99999999999999, "result": 1}', None),
    "negative": ('{"status": "SUCCESS", "run_seconds": -1, "result": 1}', None),
    "going": ('{"status": "RETRY", "run_seconds": 3.5, "result": null}', None),
}


async def test_a_result_may_say_how_long_its_item_ran(results: RedisResults, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.mset({f"celery-task-meta-{name}": text for name, (text, _) in RAN.items()})
        client.rpush("celery-task-meta-list", 1)

    ends = await results.ended([*RAN, "missing", "list"])

    assert ends.run_seconds == {name: seconds for name, (_, seconds) in RAN.items() if seconds is not None}
    assert set(ends) == {*RAN, "list"} - {"going"}
    assert (await results.ended(["missing"])).run_seconds == {}


def _failed(message: str) -> str:
    return f'{{"status": "FAILURE", "result": {{"exc_type": "ValueError", "exc_message": ["{message}"]}}}}'


async def test_compressed_results_count_and_foreign_ones_are_shown(
    results: RedisResults, store: Store, redis_url: str
) -> None:
    store("packed", {"a": 1}, "SUCCESS", result_compression="gzip")
    store("waiting", None, "STARTED", result_compression="gzip")
    store("pickled", 1, "SUCCESS", result_serializer="pickle", accept_content=["pickle"])
    with redis.Redis.from_url(redis_url) as client:
        client.rpush("celery-task-meta-list", 1)

    ids = ["packed", "waiting", "pickled", "list"]
    assert await results.ended(ids) == {"packed": None, "pickled": UNREADABLE, "list": UNREADABLE}
    (packed,) = await results.values(["packed"])
    assert packed
    assert packed.value == {"a": 1}


async def test_an_item_that_was_revoked_says_whether_it_had_expired(results: RedisResults, store: Store) -> None:
    store("a", ValueError("boom"), "FAILURE")
    store("b", TaskRevokedError("expired"), "REVOKED")

    store("c", TaskRevokedError("terminated"), "REVOKED")

    assert await results.ended(["c", "b", "missing", "a"]) == {
        "a": Failure("ValueError", "boom"),
        "b": Failure(Reason.EXPIRED, "expired"),
        "c": Failure(Reason.REVOKED, "terminated"),
    }


async def test_deleted_results_are_gone(results: RedisResults, store: Store) -> None:
    for name in ("a", "b"):
        store(name, 1, "SUCCESS")
    await results.delete(["a", "missing"])
    await results.delete([])

    assert await results.ended(["a", "b"]) == {"b": None}
    assert await results.values(["a"]) == [None]


@pytest.mark.parametrize("prefix", ["shop", "shop_", "shop:", "shop-", "shop."])
async def test_key_prefixes_follow_celerys_rule(redis_url: str, store: Store, prefix: str) -> None:
    store("a", 1, "SUCCESS", result_backend_transport_options={"global_keyprefix": prefix})
    results = RedisResults(redis_url, TransportOptions(global_key_prefix=prefix))

    assert await results.ended(["a"]) == {"a": None}
    await results.close()
