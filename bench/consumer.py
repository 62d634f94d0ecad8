"""A consumer that takes messages off a queue as fast as Redis gives them, so that dispatch alone is measured.

It runs as a process of its own, like a worker. For TaskGroups it also stores what Celery would store for a success, in
bulk: without results the operator would stop at a full window.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import redis

_AT_ONCE = 500
_IDLE_SECONDS = 0.005
_LOOK_SECONDS = 0.005
_TAKEN = "bench:taken"
_TAKE = """
-- KEYS lists..., counter; ARGV how many, whether to store results
local taken = 0
for i = 1, #KEYS - 1 do
  local messages = redis.call('RPOP', KEYS[i], ARGV[1]) or {}
  taken = taken + #messages
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
redis.call('INCRBY', KEYS[#KEYS], taken)
return taken
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What to consume from now on."""

    lists: tuple[str, ...]
    store_results: bool


class Consumer:
    """The other process, as the one that measures sees it."""

    def __init__(self, url: str, orders: "Connection[Order | None, None]", process: SpawnProcess) -> None:
        self._redis = redis.Redis.from_url(url)
        self._orders = orders
        self._process = process

    def consume(self, lists: Sequence[str], *, store_results: bool) -> None:
        """These lists and no others; counts from 0."""
        self._redis.delete(_TAKEN)
        self._orders.send(Order(tuple(lists), store_results))

    def wait(self, count: int, seconds: float = 300.0) -> None:
        """Until that many messages were taken; RuntimeError when that does not happen."""
        limit = time.monotonic() + seconds
        while (taken := int(self._redis.get(_TAKEN) or 0)) < count:
            if time.monotonic() > limit or not self._process.is_alive():
                raise RuntimeError(f"The consumer took {taken} of {count} messages.")
            time.sleep(_LOOK_SECONDS)


@contextmanager
def consumer(url: str) -> Iterator[Consumer]:
    """A running consumer without an order."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_run, args=(url, its))
    process.start()
    try:
        yield Consumer(url, ours, process)
    finally:
        ours.send(None)
        process.join(timeout=10)


def _run(url: str, orders: "Connection[None, Order | None]") -> None:
    with redis.Redis.from_url(url) as client:
        take = client.register_script(_TAKE)
        order = orders.recv()
        while order is not None:
            keys, arguments = [*order.lists, _TAKEN], [_AT_ONCE, int(order.store_results)]
            while not orders.poll():
                if not take(keys=keys, args=arguments):
                    time.sleep(_IDLE_SECONDS)
            order = orders.recv()
