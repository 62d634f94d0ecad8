"""A deletion that waits says in the status for what, and ends when that has come."""

from collections.abc import Iterator

import pytest

from support.task_groups import Bench, running_bench
from support.wait import eventually
from taskgroup.api.names import Reason

GATE = {"task": "demo.gate", "args": ["g"]}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def delete(bench: Bench, name: str) -> None:
    assert bench.kubectl("delete", "tg", name, "--wait=false").returncode == 0


def until_it_waits(bench: Bench, name: str, words: str) -> None:
    eventually(
        lambda: words in bench.condition(name, "Ready").get("message", ""),
        state=lambda: f"{bench.status(name)}\n{bench.operator.log[-3000:]}",
    )
    assert bench.condition(name, "Ready")["reason"] == Reason.DELETING


def test_for_worker_pods(bench: Bench) -> None:
    uid = bench.apply("pods", items=[1, 2], template=GATE)
    bench.until("pods", lambda status: status.get("active"))
    with bench.pod(uid, "pod-a"):
        delete(bench, "pods")
        until_it_waits(bench, "pods", "Waiting for 1 worker pod to stop: pod-a (up to 60 s).")

    eventually(lambda: bench.is_gone("pods"), state=lambda: bench.operator.log[-3000:])


def test_for_redis(bench: Bench) -> None:
    bench.apply("keys", items=[1, 2], template=GATE)
    bench.until("keys", lambda status: status.get("active"))
    bench.server.kill()
    try:
        delete(bench, "keys")
        until_it_waits(bench, "keys", "Waiting for Redis, to remove the group's keys")
        assert "connection refused" in bench.condition("keys", "Ready")["message"]
    finally:
        bench.server.start()

    eventually(lambda: bench.is_gone("keys"), state=lambda: bench.operator.log[-3000:])
