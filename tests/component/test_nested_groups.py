"""A group inside the template on a stock worker: every task for every item, with the values of Celery's own group."""

from pathlib import Path
from typing import Any

from celery import Celery, chain, group, signature

from support.canvas import by_client
from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.groups.stage_progress import has_ended
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.redis_results import RedisResults

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
SYMBOLS = ["a", "b", "c"]
ECHO = "chains.echo"
MEMBERS = [
    {"task": ECHO, "args": ["$(item)", "left"]},
    {"chain": [{"task": ECHO, "args": ["$(item)"]}, {"task": ECHO, "args": ["right"]}]},
]


def by_celery(redis: RedisServer) -> list[Any]:
    """Celery keeps the nesting: one list for each symbol."""
    client = Celery(broker=redis.url, backend=redis.url, set_as_current=False)

    def echo(*args: str) -> Any:
        return signature(ECHO, args=args, app=client)

    def both(symbol: str) -> Any:
        return group(echo(symbol, "left"), chain(echo(symbol), echo("right"), app=client), app=client)

    with client:
        results = [both(symbol).apply_async(queue=PoolKeys("", UID).queue) for symbol in SYMBOLS]
        return [value for result in results for value in result.get(timeout=PATIENCE)]


async def test_its_values_are_those_of_celery_s_nested_groups_one_after_another(tmp_path: Path) -> None:
    gate = {"task": "chains.gate"}
    spec = TaskGroupSpec.model_validate(
        {"items": SYMBOLS, "template": {"group": MEMBERS}, "callback": gate | {"input": "None"}, "workers": WORKERS}
    )
    with redis_server() as redis:
        async with live_group(spec, redis, tmp_path, VERSIONS[-1]) as running:
            await running.until(lambda: running.status.succeeded == 2 * len(SYMBOLS))
            theirs = await by_client(by_celery, redis)
            ours = await values(redis)
            (tmp_path / "open").touch()
            await running.finished()

    assert ours == theirs
    assert running.status.callback is not None
    assert has_ended(running.status.callback)


async def values(redis: RedisServer) -> list[Any]:
    """Of each index."""
    results = RedisResults(redis.url)
    stored = await results.values([task_id(UID, unit_of(index, index % 2)) for index in range(2 * len(SYMBOLS))])
    await results.close()
    return [one.value if one else None for one in stored]
