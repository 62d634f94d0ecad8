"""Many busy groups share one budget of writes, and each has its turn: counted where the writes arrive."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.object_changes import changes
from support.task_groups import Bench, running_bench
from support.wait import eventually

WRITES_PER_SECOND = 2
NAMES = [f"busy-{number}" for number in range(5)]
"""Alone, each would be written twice a second: its status and its ledger."""
ROUNDS = 3
NAP = {"task": "demo.nap", "args": [0.1]}
SURPLUS = 2 * len(NAMES)
"""Writes that do not wait, because somebody waits for what they tell, or that were due when the count began."""


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    settings = {"TASKGROUP_WRITES_PER_SECOND": str(WRITES_PER_SECOND)}
    with running_bench(tmp_path_factory.mktemp("bench"), settings=settings) as bench:
        yield bench


def test_busy_groups_keep_the_budget_and_all_are_told(bench: Bench) -> None:
    """Without a budget there would be five times as many writes."""
    with ExitStack() as workers:
        for name in NAMES:
            uid = bench.apply(name, sequence={"count": 100_000}, template=NAP)
            workers.enter_context(bench.worker(uid, f"pod-{name}"))
        for name in NAMES:
            bench.until(name, lambda status: status.get("succeeded"))
        statuses = workers.enter_context(changes(bench, "taskgroups"))
        ledgers = workers.enter_context(changes(bench, "taskgroupledgers"))
        eventually(lambda: statuses() and ledgers())
        before, began = statuses() + ledgers(), time.monotonic()
        for _ in range(ROUNDS):
            told = {name: succeeded(bench, name) for name in NAMES}
            for name, least in told.items():
                until_more(bench, name, least)
        written, seconds = statuses() + ledgers() - before, time.monotonic() - began

    assert written <= WRITES_PER_SECOND * seconds + SURPLUS


def until_more(bench: Bench, name: str, than: int) -> None:
    bench.until(name, lambda status: status["succeeded"] > than)


def succeeded(bench: Bench, name: str) -> int:
    return int(bench.status(name)["succeeded"])
