"""What every result backend must do: Redis as Celery's own backend writes it, and the one in memory."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.celery_client import celery_client
from support.memory.results import MemoryResults
from taskgroup.core.completions import Failure
from taskgroup.results.port import Results
from taskgroup.results.redis_results import RedisResults

# Celery's backend calls what redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

Store = Callable[[str, Failure | None], None]
RETRY = Failure("ValueError", "not yet")
"""No end: what the task gave to `self.retry`."""


@pytest.fixture(params=["memory", "redis"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Results, Store]]:
    if request.param == "memory":
        memory = MemoryResults()
        yield memory, lambda name, end: memory.ask_again(name) if end is RETRY else memory.store(name, end)
        return
    url = request.getfixturevalue("redis_url")
    results = RedisResults(url)
    with celery_client(url) as client:

        def store(name: str, failure: Failure | None) -> None:
            result: Any = None if failure is None else type(failure.reason, (Exception,), {})(failure.message)
            state = "SUCCESS" if failure is None else "RETRY" if failure is RETRY else "FAILURE"
            client.backend.store_result(name, result, state)

        yield results, store
    await results.close()


async def test_only_what_has_ended_is_named(backend: tuple[Results, Store]) -> None:
    results, store = backend
    store("a", None)
    store("b", Failure("ValueError", "boom"))

    assert await results.ended(["c", "b", "a"]) == {"a": None, "b": Failure("ValueError", "boom")}
    assert await results.ended([]) == {}


async def test_success_is_never_overwritten_and_corrects_a_failure(backend: tuple[Results, Store]) -> None:
    results, store = backend
    for name, ends in (("a", (None, Failure("ValueError", "late"))), ("b", (Failure("ValueError", "first"), None))):
        for end in ends:
            store(name, end)

    assert await results.ended(["a", "b"]) == {"a": None, "b": None}


async def test_a_task_that_retries_itself_is_named_until_it_has_ended(backend: tuple[Results, Store]) -> None:
    results, store = backend
    for name, end in (("a", RETRY), ("b", RETRY), ("b", None), ("c", RETRY), ("c", Failure("ValueError", "boom"))):
        store(name, end)
    ends = await results.ended(["c", "missing", "b", "a"])
    await results.delete(["a"])

    assert ends == {"b": None, "c": Failure("ValueError", "boom")}
    assert ends.retrying == {"a"}
    assert (await results.ended(["a"])).retrying == frozenset()


async def test_values_are_given_in_order(backend: tuple[Results, Store]) -> None:
    results, store = backend
    store("a", None)
    store("b", Failure("ValueError", "boom"))

    values = await results.values(["b", "missing", "a"])
    assert [value and value.status for value in values] == ["FAILURE", None, "SUCCESS"]


async def test_a_size_tells_what_is_there(backend: tuple[Results, Store]) -> None:
    results, store = backend
    store("a", None)

    there, absent = await results.sizes(["a", "b"])
    assert there > 0
    assert absent == 0


async def test_deleted_results_are_gone(backend: tuple[Results, Store]) -> None:
    results, store = backend
    store("a", None)
    store("b", None)
    await results.delete(["a", "missing"])
    await results.delete([])

    assert await results.ended(["a", "b"]) == {"b": None}
