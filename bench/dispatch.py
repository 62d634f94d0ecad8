"""How fast items are dispatched: by the operator's loop, and by its script alone, compared with Celery's group."""

import asyncio
import os
import sys
import time
import uuid

from bench.consumer import Consumer, consumer
from bench.stage import Stage, stage
from bench.table import rates, show
from celery import Celery, group

from taskgroup.api.signature import Leaf
from taskgroup.broker.keys import PoolKeys
from taskgroup.broker.port import Opening, Route
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.groups.dispatching import BATCH

ITEMS = int(os.environ.get("BENCH_ITEMS", "100000"))
CELERY_ITEMS = int(os.environ.get("BENCH_CELERY_ITEMS", str(min(ITEMS, 10_000))))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


async def main() -> int:
    """Run the benchmark and return the exit code."""
    celery: list[float] = []
    script: list[float] = []
    loop: list[float] = []
    async with stage() as environment:
        with consumer(environment.server.url) as queue_consumer:
            for number in range(1, ROUNDS + 1):
                celery.append(CELERY_ITEMS / _celery_seconds(environment.server.url, queue_consumer))
                script.append(ITEMS / await _script_seconds(environment.server.url, queue_consumer))
                loop.append(ITEMS / await _loop_seconds(environment, queue_consumer, f"round-{number}"))
                print(f"round {number}: Celery {celery[-1]:,.0f}/s, loop {loop[-1]:,.0f}/s, script {script[-1]:,.0f}/s")
    title = (
        f"Dispatch of {ITEMS:,} no-op tasks, a consumer discards; medians of {ROUNDS} rounds on one Redis."
        f"\nCelery's rate is that of a group of {CELERY_ITEMS:,}: the larger the group, the longer it takes."
    )
    return show(title, [rates("production loop", loop, celery, 30), rates("script alone", script, celery, 50)])


def _celery_seconds(url: str, queue_consumer: Consumer) -> float:
    """Seconds of `apply_async` alone; the signatures are built before."""
    app = Celery("bench", broker=url, backend=url)
    noop = app.signature("demo.noop")
    queue_consumer.consume(["bench"], store_results=False)
    tasks = group([noop.clone(args=(index,)) for index in range(CELERY_ITEMS)], app=app)
    began = time.perf_counter()
    tasks.apply_async(queue="bench")
    seconds = time.perf_counter() - began
    queue_consumer.wait(CELERY_ITEMS)
    app.close()
    return seconds


async def _script_seconds(url: str, queue_consumer: Consumer) -> float:
    """Seconds to render and push all messages in batches of the operator's size, without its loop."""
    broker, uid = RedisBroker(url), str(uuid.uuid4())
    route, pool = Route(uid, uid), PoolKeys("", uid)
    state = await broker.groups.open(route, Opening(nonce="bench"))
    template = broker.groups.template(Leaf(task="demo.noop"), route)
    queue_consumer.consume(pool.lists, store_results=False)
    began = time.perf_counter()
    for start in range(0, ITEMS, BATCH):
        batch = range(start, min(start + BATCH, ITEMS))
        messages = [template.render(index, 0, [index], {}) for index in batch]
        if not await broker.groups.dispatch(route, state.fence, 0, start, messages):
            raise RuntimeError(f"The script refused the batch at {start}.")
    seconds = time.perf_counter() - began
    queue_consumer.wait(ITEMS)
    await broker.pools.erase(route.pool, [])
    await broker.groups.erase(uid, tombstone=False)
    await broker.close()
    return seconds


async def _loop_seconds(environment: Stage, queue_consumer: Consumer, name: str) -> float:
    """Seconds from the creation of the TaskGroup until the consumer has the last message."""
    began = time.perf_counter()
    uid = await environment.create(name, sequence={"count": ITEMS})
    queue_consumer.consume(PoolKeys("", uid).lists, store_results=True)
    queue_consumer.wait(ITEMS)
    seconds = time.perf_counter() - began
    await environment.until_counted(name, ITEMS)
    await environment.remove(name)
    return seconds


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
