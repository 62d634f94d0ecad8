"""The TaskGroupLedger is deleted and replaced while the operator runs: what was counted stays counted."""

import json
from collections import Counter

from support.task_groups import Bench
from support.wait import eventually

ITEMS = 24
TEMPLATE = {"task": "demo.gate", "args": ["$(item)"], "options": {"ignoreResult": True}}


def test_a_ledger_that_goes_or_ages_makes_no_counted_item_run_again(bench: Bench) -> None:
    """Counts fell to nothing for a second, and with ignoreResult each counted success ran again."""
    uid = bench.apply("books", sequence={"count": ITEMS}, template=TEMPLATE, parallelism=4)
    ledger, shown = f"books-{uid[:8]}-ledger", [0]

    def counted(number: int) -> bool:
        shown.append(bench.status("books").get("succeeded", 0))
        return shown[-1] >= number

    with bench.worker(uid, "pod-a", "--pool", "threads", "-c", "4"), bench.redis() as client:
        _open(bench, range(4))
        eventually(lambda: counted(4), state=lambda: bench.operator.log[-3000:])
        old = bench.kubectl.get("taskgroupledger", ledger)
        _open(bench, range(4, 8))
        eventually(lambda: counted(8), state=lambda: bench.operator.log[-3000:])
        deleted = bench.kubectl("delete", "taskgroupledger", ledger)
        assert deleted.returncode == 0, deleted.stderr
        _open(bench, range(8, 12))
        eventually(lambda: counted(12), state=lambda: bench.operator.log[-3000:])
        # A copy of the first one in the place of the present one, and nothing of the results or the queue's books.
        patch = ("patch", "taskgroupledger", ledger, "--type=merge", "--patch", _snapshot(old))
        # The deleted one is written again with the next save.
        eventually(lambda: bench.kubectl(*patch).returncode == 0, state=lambda: bench.operator.log[-3000:])
        client.delete(f"taskgroup:{uid}", *client.keys("celery-task-meta-*"))
        _open(bench, range(12, ITEMS))
        eventually(lambda: counted(ITEMS), state=lambda: bench.operator.log[-3000:])
        status = bench.finished("books")
        runs = Counter(text.decode() for text in client.lrange("notes", 0, -1))

    assert (status["state"], status["succeeded"]) == ("Complete", ITEMS)
    assert shown == sorted(shown), "a count went back"
    assert [item for item in range(12) if runs[str(item)] != 1] == [], "counted items ran again"


def _open(bench: Bench, items: range) -> None:
    with bench.redis() as client:
        client.mset({f"open:{item}": 1 for item in items})


def _snapshot(ledger: dict[str, object]) -> str:
    return json.dumps({"snapshot": ledger["snapshot"]})
