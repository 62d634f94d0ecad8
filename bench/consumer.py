"""A consumer that takes messages from a queue as fast as Redis can, so that only dispatch is measured.

It is a process of its own, like a worker. For TaskGroups it also stores, in bulk, the results that Celery stores for
successes: without results the operator stops when the window is full.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import redis

_BATCH = 500
_IDLE_SECONDS = 0.005
_IDLE_SECONDS_OF_A_LIST = 0.00005
"""Real workers block on a list; one that asks for thousands each 5 ms would take half a processor."""
_POLL_SECONDS = 0.005
_COUNTER = "bench:count"
_TAKE = """
-- KEYS lists..., counter; ARGV most messages of one list, whether to store results
local count = 0
for i = 1, #KEYS - 1 do
  local messages = redis.call('RPOP', KEYS[i], ARGV[1]) or {}
  count = count + #messages
  if ARGV[2] == '1' and #messages > 0 then
    local results = {}
    for _, message in ipairs(messages) do
      local id = message:match('"id": ?"([^"]*)"')
      results[#results + 1] = 'celery-task-meta-' .. id
      results[#results + 1] = '{"status": "SUCCESS", "result": null, "traceback": null, "children": [], '
        .. '"date_done": "2026-01-01T00:00:00+00:00", "task_id": "' .. id .. '"}'
    end
    redis.call('MSET', unpack(results))
  end
end
redis.call('INCRBY', KEYS[#KEYS], count)
return count
"""


@dataclass(frozen=True, slots=True)
class Order:
    """The lists to consume, and whether to store results."""

    lists: tuple[str, ...]
    store_results: bool


class Consumer:
    """Controls the consumer process."""

    def __init__(self, url: str, orders: "Connection[Order | None, None]", process: SpawnProcess) -> None:
        self._redis = redis.Redis.from_url(url)
        self._orders = orders
        self._process = process

    def consume(self, lists: Sequence[str], *, store_results: bool) -> None:
        """Consume these lists and no others, and count from 0."""
        self._redis.delete(_COUNTER)
        self._orders.send(Order(tuple(lists), store_results))

    def wait(self, count: int, seconds: float = 300.0) -> None:
        """Wait until that many messages are consumed. Raises RuntimeError after `seconds`, or when the process ends."""
        limit = time.monotonic() + seconds
        while (consumed := int(self._redis.get(_COUNTER) or 0)) < count:
            if time.monotonic() > limit or not self._process.is_alive():
                raise RuntimeError(f"The consumer took {consumed} of {count} messages.")
            time.sleep(_POLL_SECONDS)


@contextmanager
def consumer(url: str) -> Iterator[Consumer]:
    """Start a consumer, which waits for an order; stop it at the end."""
    context = multiprocessing.get_context("spawn")
    sender, receiver = context.Pipe()
    process = context.Process(target=_run, args=(url, receiver))
    process.start()
    try:
        yield Consumer(url, sender, process)
    finally:
        sender.send(None)
        process.join(timeout=10)


def _run(url: str, orders: "Connection[None, Order | None]") -> None:
    with redis.Redis.from_url(url) as client:
        take = client.register_script(_TAKE)
        order = orders.recv()
        while order is not None:
            keys, arguments = [*order.lists, _COUNTER], [_BATCH, int(order.store_results)]
            idle_seconds = max(_IDLE_SECONDS, len(keys) * _IDLE_SECONDS_OF_A_LIST)
            while not orders.poll():
                if not take(keys=keys, args=arguments):
                    time.sleep(idle_seconds)
            order = orders.recv()
