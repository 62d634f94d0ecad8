"""An operator that is killed with -9 again and again loses nothing and dispatches nothing twice."""

import random
import time
from collections import Counter

from support.task_groups import Bench
from support.wait import eventually

ITEMS = 1_500
LIVES = 6


def test_an_operator_killed_while_it_dispatches_and_while_items_run_loses_nothing(bench: Bench) -> None:
    """Each life ends at a random moment after the operator has done something new."""
    moments = random.Random(36)
    uid = bench.apply("many", sequence={"count": ITEMS}, template={"task": "demo.note", "args": ["$(item)"]})
    with bench.worker(uid, "pod-a", "--pool", "threads", "--concurrency", "4"):
        for _ in range(LIVES):
            before = _cursor(bench, uid)
            _until_dispatched(bench, uid, before)
            _spin(moments.uniform(0.0, 0.4))
            bench.operator.kill()
            bench.operator.start()
        status = bench.finished("many")

    assert (status["state"], status["succeeded"], status["failed"]) == ("Complete", ITEMS, 0)
    runs = Counter(_notes(bench))
    assert [item for item, count in runs.items() if count > 1] == [], "items were dispatched twice"
    assert len(runs) == ITEMS


def test_what_a_killed_worker_held_comes_back_while_the_operator_was_away(bench: Bench) -> None:
    uid = bench.apply("held", sequence={"count": 6}, template={"task": "demo.gate", "args": ["g"]}, parallelism=6)
    with bench.worker(uid, "pod-a") as worker:
        eventually(lambda: _notes(bench))
        bench.operator.kill()
        worker.kill()
    bench.operator.start()
    with bench.redis() as client:
        client.set("open:g", 1)
        eventually(
            lambda: not client.exists(f"taskgroup:{uid}:unacked:pod-a"), state=lambda: bench.operator.log[-3000:]
        )
    with bench.worker(uid, "pod-b"):
        status = bench.finished("held")

    assert (status["state"], status["succeeded"]) == ("Complete", 6)


def test_a_ledger_that_is_deleted_is_made_again_from_redis_and_the_results(bench: Bench) -> None:
    template = {"task": "demo.gate", "args": ["$(item)"]}
    uid = bench.apply("books", sequence={"count": 20}, template=template, parallelism=5)
    with bench.worker(uid), bench.redis() as client:
        client.mset({f"open:{item}": 1 for item in range(3)})
        bench.until("books", lambda status: status.get("succeeded") == 3)
        bench.operator.kill()
        deleted = bench.kubectl("delete", "taskgroupledger", f"books-{uid[:8]}-ledger")
        assert deleted.returncode == 0, deleted.stderr
        bench.operator.start()
        client.mset({f"open:{item}": 1 for item in range(20)})
        status = bench.finished("books")

    assert (status["state"], status["succeeded"]) == ("Complete", 20)
    assert len(_notes(bench)) == 20


def _cursor(bench: Bench, uid: str) -> int:
    with bench.redis() as client:
        return int(client.hget(f"taskgroup:{uid}", "cursor:0") or 0)


def _until_dispatched(bench: Bench, uid: str, before: int) -> None:
    """More than before, or all has ended."""
    eventually(lambda: _cursor(bench, uid) > before or _is_done(bench), state=lambda: bench.operator.log[-3000:])


def _is_done(bench: Bench) -> bool:
    return bench.status("many").get("state") == "Complete"


def _notes(bench: Bench) -> list[str]:
    with bench.redis() as client:
        return [entry.decode() for entry in client.lrange("notes", 0, -1)]


def _spin(seconds: float) -> None:
    """Not a wait for anything: the kill shall hit an arbitrary instruction."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
