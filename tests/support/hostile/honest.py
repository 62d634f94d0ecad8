"""An honest tenant beside hostile ones: each of its groups is dispatched in time."""

import time
from typing import Any

from support.machine import slowness, waited_seconds
from support.task_groups import Bench
from support.wait import eventually
from taskgroup.broker.keys import PoolKeys

DISPATCH_SECONDS = 2.0
"""From the creation of an honest group to its first message, on the reference machine."""
_PART = 0.2
"""Of what it takes to learn how slow the machine is: that would be done a hundred times, and take a minute in all."""


def dispatched_in_time(bench: Bench, name: str, **spec: Any) -> None:
    """Create a group, and fail unless its first message is in Redis within DISPATCH_SECONDS.

    On a slower machine the limit is as many times longer, as measured right before and after: what a test does beside
    it takes part of the machine, too. Where it was in time anyway only the short measurement was made. Time in which
    the operator could have run and the machine ran others is not the operator's.
    """
    slow, waited = slowness(_PART), waited_seconds(bench.operator.pid)
    begin = time.monotonic()
    uid = bench.apply(name, sequence={"count": 3}, template={"task": "demo.noop"}, **spec)
    with bench.redis() as client:
        eventually(
            lambda: client.llen(f"{PoolKeys('', uid).queue}\x06\x169"),
            state=lambda: bench.operator.log[-3000:],
            step=0.01,
        )
    took = time.monotonic() - begin - (waited_seconds(bench.operator.pid) - waited)
    allowed = DISPATCH_SECONDS * (slow if took <= DISPATCH_SECONDS else max(slow, slowness()))
    bench.kubectl("delete", "tg", name, "--wait=false")
    assert took <= allowed, f"{took:.1f} s of {allowed:.1f} s\n{bench.operator.log[-3000:]}"
