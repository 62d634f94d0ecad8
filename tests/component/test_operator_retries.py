"""An operator that is killed with -9 again and again retries each item exactly as often as its policy says."""

from collections import Counter

from support.task_groups import Bench
from support.wait import eventually

ITEMS = 40
LIMIT = 2


def test_an_operator_that_is_killed_between_attempts_counts_and_sends_each_once(bench: Bench) -> None:
    policy = {"limit": LIMIT, "backoff": {"initialSeconds": 1, "maxSeconds": 2}}
    uid = bench.apply("patient", sequence={"count": ITEMS}, template={"task": "demo.refuse"}, retryPolicy=policy)
    with bench.worker(uid, "pod-a", "--pool", "threads", "--concurrency", "4"):
        for life in range(1, 2 * LIMIT + 2):
            enough = min(life * ITEMS // 2, ITEMS * (LIMIT + 1))
            eventually(lambda: len(_runs(bench)) >= enough, state=lambda: bench.operator.log[-3000:])  # noqa: B023
            bench.operator.kill()
            bench.operator.start()
        status = bench.finished("patient")

    assert (status["state"], status["failed"], status["retrying"]) == ("Failed", ITEMS, 0)
    suffixes = ("", *(f"~{number}" for number in range(1, LIMIT + 1)))
    assert Counter(_runs(bench)) == Counter(f"{uid}.{index}{suffix}" for index in range(ITEMS) for suffix in suffixes)


def _runs(bench: Bench) -> list[str]:
    with bench.redis() as client:
        return [note.decode() for note in client.lrange("notes", 0, -1)]
