"""What groups cost that have nothing to do, and what one costs that is busy: counted where the requests arrive."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.kubectl import kubeconfig
from support.object_changes import changes
from support.request_counts import Passage, counted, redis_commands
from support.task_groups import Bench, running_bench
from support.wait import eventually
from taskgroup.broker.keys import PoolKeys
from taskgroup.broker.redis_pools import SCAN_SECONDS

CALM_SECONDS = 8.0
"""Four times the resync time of these operators: whoever polls would be seen."""
MOST_SCANS = 2
"""Of the key space after a start: one for pods that nobody saw, one for keys of deleted groups; none for a group."""
GROUPS = 12
MOST_COMMANDS = 60
TRANSITIONS = 8
"""Most writes of a life that do not wait: the finalizer, the suspension, start, outcome, end, and what follows it."""
NOTE = {"task": "demo.note", "args": ["x"]}


@pytest.fixture(scope="module")
def passage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Passage]]:
    """A kubeconfig for the operator alone, and what counts its requests."""
    with counted(kubeconfig(), tmp_path_factory.mktemp("passage")) as both:
        yield both


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory, passage: tuple[str, Passage]) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench"), passage[0]) as bench:
        yield bench


@pytest.fixture
def requests(passage: tuple[str, Passage]) -> Passage:
    return passage[1]


@pytest.fixture
def bench(shared_bench: Bench) -> Iterator[Bench]:
    with shared_bench.redis() as client:
        client.flushall()
    yield shared_bench
    shared_bench.clear()


def until_silent(bench: Bench, requests: Passage) -> None:
    """No request of the operator, to Kubernetes or to Redis, in a time in which it would have looked several times.

    The wait is no race: an operator that polls never gets there, however long it is given.
    """

    def is_silent() -> bool:
        before = requests.sent, redis_commands(bench.server)
        time.sleep(CALM_SECONDS)
        return (requests.sent, redis_commands(bench.server)) == before

    eventually(is_silent, state=lambda: bench.operator.log[-2000:])


def finish(bench: Bench, name: str, **spec: Any) -> None:
    uid = bench.apply(name, sequence={"count": 3}, template=NOTE, **spec)
    with bench.worker(uid):
        bench.finished(name)


def test_finished_groups_are_silent(bench: Bench, requests: Passage) -> None:
    for name in ("one", "two"):
        finish(bench, name)

    until_silent(bench, requests)

    assert bench.status("one")["workers"]["replicas"] == 0


def test_a_suspended_group_is_silent_and_can_be_resumed(bench: Bench, requests: Passage) -> None:
    never = bench.apply("never", sequence={"count": 2}, template=NOTE, suspend=True)
    gated = {"task": "demo.gate", "args": ["g"]}
    uid = bench.apply("halted", sequence={"count": 4}, template=gated, parallelism=2)
    with bench.worker(uid):
        bench.until("halted", lambda status: status.get("active"))
        bench.patch("halted", {"suspend": True})
        with bench.redis() as client:
            client.set("open:g", 1)
        bench.until("halted", lambda status: status["state"] == "Suspended" and status["active"] == 0)

    until_silent(bench, requests)

    for name in ("never", "halted"):
        bench.patch(name, {"suspend": False})
    with bench.worker(never, "pod-n"), bench.worker(uid, "pod-h"):
        assert [bench.finished(name)["state"] for name in ("never", "halted")] == ["Complete", "Complete"]


def test_after_a_restart_finished_groups_stay_silent(bench: Bench, requests: Passage) -> None:
    for name in ("one", "two"):
        finish(bench, name)
    until_silent(bench, requests)
    bench.operator.stop()
    commands, scans = redis_commands(bench.server), redis_commands(bench.server, "scan")
    bench.operator.start()

    bench.apply("fresh", sequence={"count": 1}, template=NOTE, suspend=True)
    bench.until("fresh", lambda status: status.get("state") == "Suspended")
    until_silent(bench, requests)

    assert redis_commands(bench.server, "scan") - scans <= MOST_SCANS
    assert redis_commands(bench.server) - commands < MOST_COMMANDS, "those of one group, and none for what has ended"


def test_lost_messages_of_many_groups_share_the_readings_of_the_key_space(bench: Bench) -> None:
    """Before an item is called missing, the hands of pods that nobody saw are looked for: by a scan, which takes longer
    the more keys all groups have. Each group made its own, at every search.
    """
    uids = [bench.apply(f"lost-{number}", sequence={"count": 2}, template=NOTE) for number in range(GROUPS)]
    lists = [PoolKeys("", uid).lists for uid in uids]
    for number in range(GROUPS):
        bench.until(f"lost-{number}", lambda status: status.get("active") == 2)
    began, scans = time.monotonic(), redis_commands(bench.server, "scan")
    with bench.redis() as client:
        client.delete(*(name for names in lists for name in names))
        eventually(lambda: all(sum(map(client.llen, names)) == 2 for names in lists), state=lambda: bench.operator.log)

    passed = time.monotonic() - began
    assert redis_commands(bench.server, "scan") - scans <= passed / SCAN_SECONDS + 1 + MOST_SCANS


def test_a_busy_group_is_written_once_a_second(bench: Bench) -> None:
    """Its status and its ledger, each beside the few writes that move it from one phase to the next."""
    uid = bench.apply("busy", sequence={"count": 2000}, template=NOTE, suspend=True)
    bench.until("busy", lambda status: status.get("state") == "Suspended")
    name = f"busy-{uid[:8]}-ledger"
    with changes(bench, "taskgroup", "busy") as statuses, changes(bench, "taskgroupledger", name) as ledgers:
        began = time.monotonic()
        bench.patch("busy", {"suspend": False})
        with bench.worker(uid):
            bench.finished("busy")
        seconds = time.monotonic() - began
        eventually(lambda: statuses() > 2 and ledgers() > 1)

    assert statuses() <= seconds + TRANSITIONS
    assert ledgers() <= seconds + TRANSITIONS


def test_the_time_to_live_of_a_silent_group_ends(bench: Bench) -> None:
    finish(bench, "brief", ttlSecondsAfterFinished=20)

    eventually(lambda: bench.is_gone("brief"), state=lambda: bench.operator.log)
