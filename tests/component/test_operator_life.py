"""The whole operator against a real API server and Redis; workers are stock Celery processes on this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.celery_worker import CeleryWorker
from support.kube import DEPLOYMENTS
from support.task_groups import WORKERS, Bench, running_bench
from support.wait import eventually
from support.worker_container import worker_container, worker_pool
from taskgroup.api.names import API_VERSION, KIND

BROKER = {"secretKeyRef": {"name": "redis"}}


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own, for all tests of this file."""
    with running_bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Iterator[Bench]:
    """The same with nothing left from the test before."""
    with shared_bench.redis() as client:
        client.flushall()
    yield shared_bench
    shared_bench.clear()


def test_a_sequence_runs_to_its_end(bench: Bench) -> None:
    uid = bench.apply("notes", sequence={"start": 10, "count": 40, "step": 2}, template=_note("$(item)"))
    with bench.worker(uid):
        status = bench.finished("notes")

    assert (status["state"], status["succeeded"], status["failed"]) == ("Complete", 40, 0)
    assert "annotations" not in bench.group("notes")["metadata"], "the user's object is not written into"
    assert status["completedIndexes"] == "0-39"
    assert sorted(map(int, _notes(bench))) == list(range(10, 90, 2))


def test_nulls_that_kubectl_left_out_are_told(bench: Bench) -> None:
    spec = {"items": [{"a": None, "b": 1}], "template": _note("$(item)"), "workers": WORKERS}
    manifest = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "holes"},
        "spec": {**spec, "broker": BROKER},
    }
    assert bench.kubectl("apply", "--filename", "-", given=manifest).returncode == 0

    assert bench.group("holes")["spec"]["items"] == [{"b": 1}]
    message = eventually(lambda: _messages(bench, "holes", "NullsDropped"))
    assert message[0].startswith("kubectl apply left out 1 nulls inside of objects, and the items run without them")


def test_what_its_owner_may_regret_is_told(bench: Bench) -> None:
    template = {**_note("$(item)"), "options": {"timeLimitSeconds": 60}}
    bench.apply("hasty", items=[1], template=template, activeDeadlineSeconds=30)

    (message,) = eventually(lambda: _messages(bench, "hasty", "Advice"))
    assert message.startswith("DeadlineTooShort: activeDeadlineSeconds (30) is shorter than the longest")


def _messages(bench: Bench, name: str, reason: str) -> list[str]:
    """What events of a group say."""
    selector = f"--field-selector=involvedObject.name={name},reason={reason}"
    return [
        event["message"] for event in json.loads(bench.kubectl("get", "events", selector, "-o", "json").stdout)["items"]
    ]


def test_every_failure_is_counted_and_named(bench: Bench) -> None:
    tasks = [{"task": "demo.note", "args": ["a"]}, {"task": "demo.fail", "args": ["no"]}, {"task": "demo.fail"}]
    uid = bench.apply("some", tasks=tasks)
    with bench.worker(uid):
        status = bench.finished("some")

    assert (status["state"], status["succeeded"], status["failed"], status["failedIndexes"]) == ("Failed", 1, 2, "1,2")
    said = {(failure["reason"], failure["message"], failure["indexes"]) for failure in status["failures"]}
    assert said == {("ValueError", "no", "1"), ("ValueError", "", "2")}
    assert bench.condition("some", "Failed")["reason"] == "FailedIndexes"


def test_suspension_takes_queued_items_back_and_resuming_finishes_them(bench: Bench) -> None:
    uid = bench.apply("halt", sequence={"count": 30}, template={"task": "demo.gate", "args": ["g"]}, parallelism=6)
    with bench.worker(uid):
        eventually(lambda: _notes(bench))
        bench.patch("halt", {"suspend": True})
        bench.until("halt", lambda status: status["state"] == "Suspended" and status["active"] == 1)
        with bench.redis() as client:
            assert client.llen(f"taskgroup-{uid}\x06\x169") == 0
            client.set("open:g", 1)
        bench.until("halt", lambda status: status["succeeded"] == 1 and status["active"] == 0)
        bench.patch("halt", {"suspend": False})
        status = bench.finished("halt")

    assert (status["state"], status["succeeded"]) == ("Complete", 30)
    assert len(_notes(bench)) == 30, "an item ran twice"


def test_parallelism_bounds_what_is_in_flight(bench: Bench) -> None:
    bench.apply("few", sequence={"count": 100}, template=_note("x"), parallelism=3)
    status = bench.until("few", lambda status: status.get("active"))

    assert status["active"] == 3
    assert status["pending"] == 97


def test_subtasks_of_an_item_get_workers_of_their_own(bench: Bench, tmp_path: Path) -> None:
    """Sixteen members of a chord ran on the one pod that their item needed."""
    names = list("abcdefgh")
    template = {"task": "demo.fanned", "args": [names]}
    uid = bench.apply("chord", items=[1], template=template, workers=WORKERS | {"maxReplicas": 4})
    eventually(lambda: _replicas(bench, f"chord-{uid[:8]}") == 1, state=lambda: bench.operator.log[-3000:])
    with _as_in_a_pod(bench, uid, "pod-a", tmp_path) as first, bench.redis() as client:
        eventually(lambda: _replicas(bench, f"chord-{uid[:8]}") == 4, state=lambda: first.log)
        assert bench.status("chord")["total"] == 1
        with _as_in_a_pod(bench, uid, "pod-b", tmp_path) as second:
            eventually(lambda: len(_notes(bench)) == 4, state=lambda: f"{first.log}\n{second.log}")
            client.mset({f"open:{name}": 1 for name in names})
            status = bench.finished("chord")

    assert (status["state"], status["succeeded"]) == ("Complete", 1)
    assert sorted(_notes(bench)) == sorted([*names, "fanned"]), "each ran once"


@contextmanager
def _as_in_a_pod(bench: Bench, uid: str, name: str, folder: Path) -> Iterator[CeleryWorker]:
    """A worker of two slots, started as the operator starts it in a pod of this name."""
    pool = worker_pool(uid, pool="threads", concurrency=2)
    with bench.pod(uid, name), worker_container(bench.server.url, folder, pool, pod=name) as worker:
        yield worker


def _replicas(bench: Bench, name: str) -> int:
    """That the group's Deployment asks for; 0 while there is none."""
    found = bench.kube.find(DEPLOYMENTS, name)
    return int(found["spec"]["replicas"]) if found else 0


def test_the_deadline_ends_the_group(bench: Bench) -> None:
    uid = bench.apply(
        "late", sequence={"count": 5}, template={"task": "demo.gate", "args": ["g"]}, activeDeadlineSeconds=3
    )
    with bench.worker(uid) as worker:
        status = bench.finished("late")
        worker.kill()

    assert status["state"] == "Failed"
    assert bench.condition("late", "Failed")["reason"] == "DeadlineExceeded"
    assert status["cancelled"] == 5
    assert status["total"] == sum(status[kind] for kind in ("pending", "active", "succeeded", "failed", "cancelled"))


def test_a_finished_group_is_removed_after_its_time_to_live(bench: Bench) -> None:
    uid = bench.apply("brief", sequence={"count": 1}, template=_note("x"), ttlSecondsAfterFinished=1)
    with bench.worker(uid):
        eventually(lambda: bench.is_leaving("brief") or bench.is_gone("brief"), state=lambda: bench.operator.log)
    eventually(lambda: bench.is_gone("brief"), state=lambda: bench.operator.log)

    with bench.redis() as client:
        left = {key.decode() for key in client.keys(f"*{uid}*")}
    assert left == {f"taskgroup:{uid}"}, "only the tombstone stays"


def test_a_lower_parallelism_takes_back_what_waits(bench: Bench) -> None:
    uid = bench.apply("less", sequence={"count": 30}, template={"task": "demo.gate", "args": ["g"]}, parallelism=20)
    with bench.worker(uid):
        eventually(lambda: _notes(bench))
        bench.patch("less", {"parallelism": 3})
        bench.until("less", lambda status: status.get("active", 20) <= 3)
        with bench.redis() as client:
            client.set("open:g", 1)
        status = bench.finished("less")

    assert (status["state"], status["succeeded"]) == ("Complete", 30)
    assert len(_notes(bench)) == 30, "none ran twice"


def test_an_unknown_task_holds_dispatch_until_a_worker_knows_it(bench: Bench) -> None:
    uid = bench.apply("typo", sequence={"count": 4}, template={"task": "demo.nonote", "args": ["x"]})
    with bench.worker(uid):
        bench.until("typo", lambda _: bench.condition("typo", "ConfigurationValid").get("reason") == "UnknownTask")
        status = bench.status("typo")

        assert status["failed"] == 0
        assert "demo.nonote" in bench.condition("typo", "ConfigurationValid")["message"]


def test_a_lost_redis_starts_what_had_not_ended_again(bench: Bench) -> None:
    uid = bench.apply("again", sequence={"count": 8}, template={"task": "demo.gate", "args": ["g"]}, parallelism=4)
    with bench.worker(uid) as worker:
        eventually(lambda: _notes(bench))
        worker.kill()
    with bench.redis() as client:
        client.flushall()
        client.set("open:g", 1)
    with bench.worker(uid):
        status = bench.finished("again")

    assert (status["state"], status["succeeded"]) == ("Complete", 8)
    events = bench.kubectl("get", "events", "-o", "json").stdout
    assert "DataLost" in {event["reason"] for event in json.loads(events)["items"]}


def test_items_may_be_appended_but_not_changed(bench: Bench) -> None:
    uid = bench.apply("list", items=["a", "b"], template=_note("$(item)"), parallelism=1)
    bench.until("list", lambda status: status.get("active") == 1)
    bench.patch("list", {"items": ["a", "B", "c"]})
    bench.until("list", lambda _: bench.condition("list", "ConfigurationValid").get("reason") == "ItemsChanged")
    bench.patch("list", {"items": ["a", "b", "c"]})
    with bench.worker(uid):
        status = bench.finished("list")

    assert (status["state"], status["total"]) == ("Complete", 3)
    assert _notes(bench) == ["a", "b", "c"]


def test_ignored_results_are_deleted_once_counted(bench: Bench) -> None:
    template = {"task": "demo.note", "args": ["$(index)"], "options": {"ignoreResult": True}}
    uid = bench.apply("quiet", sequence={"count": 5}, template=template)
    with bench.worker(uid):
        bench.finished("quiet")
    with bench.redis() as client:
        eventually(lambda: not client.keys(f"celery-task-meta-{uid}*"), state=lambda: client.keys("*"))


def _note(text: str) -> dict[str, object]:
    return {"task": "demo.note", "args": [text]}


def _notes(bench: Bench) -> list[str]:
    with bench.redis() as client:
        return [entry.decode() for entry in client.lrange("notes", 0, -1)]


def test_an_ended_group_stops_its_workers_and_expires_without_its_secret(bench: Bench) -> None:
    """After a restart the operator has no way to the broker; the end does not need it."""
    uid = bench.apply("orphan", sequence={"count": 1}, template=_note("x"))
    with bench.worker(uid):
        bench.finished("orphan")
    bench.operator.kill()
    name = f"orphan-{uid[:8]}"
    assert bench.kubectl("scale", "deployment", name, "--replicas=1").returncode == 0
    assert bench.kubectl("delete", "secret", "redis").returncode == 0
    try:
        bench.operator.start()
        eventually(
            lambda: bench.kube.read(DEPLOYMENTS, name)["spec"]["replicas"] == 0, state=lambda: bench.operator.log
        )
        bench.patch("orphan", {"ttlSecondsAfterFinished": 1})
        eventually(lambda: bench.is_leaving("orphan") or bench.is_gone("orphan"), state=lambda: bench.operator.log)
    finally:
        bench.kubectl("create", "secret", "generic", "redis", f"--from-literal=url={bench.server.url}")
