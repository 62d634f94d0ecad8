"""Chains under the whole operator: killed in the middle, suspended, held back, and their results read."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.task_groups import Bench, running_bench
from support.wait import COMMAND_SECONDS, eventually

ITEMS = 200
LIVES = 4
IMMUTABLE = {"immutable": True}


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own, for all tests of this file."""
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture(name="bench")
def emptied_bench(shared_bench: Bench) -> Iterator[Bench]:
    """The same with nothing left from the test before."""
    with shared_bench.redis() as client:
        client.flushall()
    yield shared_bench
    shared_bench.clear()


def step(task: str, *args: Any, **options: Any) -> dict[str, Any]:
    return {"task": task, "args": list(args), "options": options}


def notes(bench: Bench) -> Counter[str]:
    with bench.redis() as client:
        return Counter(entry.decode() for entry in client.lrange("notes", 0, -1))


def test_an_operator_killed_between_steps_runs_no_step_twice(bench: Bench) -> None:
    """Each life ends after new steps have run, at some moment of the next ones."""
    moments = random.Random(9)
    steps = [step("demo.note", f"{name}-$(item)", **IMMUTABLE) for name in "abc"]
    uid = bench.apply("killed", sequence={"count": ITEMS}, template={"chain": steps})
    with bench.worker(uid, "pod-a", "--pool", "threads", "--concurrency", "4"):
        for _ in range(LIVES):
            wanted = min(notes(bench).total() + moments.randint(1, 3 * ITEMS // LIVES), 3 * ITEMS)
            eventually(lambda: notes(bench).total() >= wanted, state=lambda: bench.operator.log[-3000:])  # noqa: B023
            bench.operator.kill()
            bench.operator.start()
        status = bench.finished("killed")

    assert (status["state"], status["succeeded"], status["failed"]) == ("Complete", ITEMS, 0)
    assert notes(bench) == Counter(f"{name}-{item}" for name in "abc" for item in range(ITEMS))


def test_a_suspended_chain_goes_on_with_its_next_step(bench: Bench) -> None:
    steps = [step("demo.note", "a"), step("demo.gate", "g", **IMMUTABLE), step("demo.note", "c", **IMMUTABLE)]
    uid = bench.apply("halt", sequence={"count": 6}, template={"chain": steps}, parallelism=2)
    with bench.worker(uid), bench.redis() as client:
        eventually(lambda: notes(bench)["g"], state=lambda: bench.operator.log[-3000:])
        bench.patch("halt", {"suspend": True})
        bench.until("halt", lambda status: status["state"] == "Suspended" and status["active"] == 1)
        client.set("open:g", 1)
        bench.until("halt", lambda status: status["active"] == 0)
        ran = notes(bench)
        assert ran["c"] == 0, "the step after the one that ended was held back"
        bench.patch("halt", {"suspend": False})
        status = bench.finished("halt")

    assert (status["state"], status["succeeded"]) == ("Complete", 6)
    assert notes(bench) == {"a": 6, "g": 6, "c": 6}


def test_an_unknown_task_holds_back_its_step_only(bench: Bench) -> None:
    tasks = [
        {"chain": [step("demo.note", "a"), step("demo.nonote")]},
        {"chain": [step("demo.note", "b"), step("demo.note", "c", **IMMUTABLE)]},
    ]
    uid = bench.apply("typo", tasks=tasks)
    with bench.worker(uid):
        bench.until("typo", lambda _: bench.condition("typo", "ConfigurationValid").get("reason") == "UnknownTask")
        status = bench.until("typo", lambda status: status["succeeded"] == 1)

    assert "demo.nonote" in bench.condition("typo", "ConfigurationValid")["message"]
    assert (status["failed"], status["pending"] + status["active"]) == (0, 1)
    assert notes(bench) == {"a": 1, "b": 1, "c": 1}


def test_results_are_those_of_the_last_step(bench: Bench) -> None:
    tasks = [
        {"chain": [step("demo.echo", 1), step("demo.echo", 2)]},
        {"chain": [step("demo.echo", 1), step("demo.fail", "no", **IMMUTABLE), step("demo.echo")]},
        step("demo.echo", 3),
    ]
    uid = bench.apply("read", tasks=tasks)
    with bench.worker(uid):
        bench.finished("read")

    command = [sys.executable, "-m", "taskgroup", "results", "read", "--namespace", bench.kubectl.namespace]
    command += ["--kubeconfig", bench.kubectl.kubeconfig]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"index": 0, "status": "SUCCESS", "result": [[[[1], {}], 2], {}]},
        {"index": 1, "status": "FAILURE", "error": "ValueError: Step 2 of 3, demo.fail: no"},
        {"index": 2, "status": "SUCCESS", "result": [[3], {}]},
    ]
