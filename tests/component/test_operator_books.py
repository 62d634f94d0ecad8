"""The ledger, Redis' books and its results are lost while the operator runs: what was counted stays counted."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from support.task_groups import Bench
from support.wait import eventually

ROUND = 4
HELD = 0
"""This item is in flight at each loss, and may run again when Redis has lost something. The others are counted then."""
THREADS = 20


def _delete_ledger(bench: Bench, _: str, ledger: dict[str, Any]) -> None:
    deleted = bench.kubectl("delete", "taskgroupledger", ledger["metadata"]["name"])
    assert deleted.returncode == 0, deleted.stderr


def _replace_ledger(bench: Bench, _: str, ledger: dict[str, Any]) -> None:
    metadata = {key: ledger["metadata"][key] for key in ("name", "ownerReferences")}
    snapshot = {"snapshot": ledger["snapshot"]}
    patch = ("patch", "taskgroupledger", metadata["name"], "--type=merge", "--patch", json.dumps(snapshot))

    def is_replaced() -> bool:
        """The operator may write it anew, or not, since there is nothing new to be saved."""
        return bench.kubectl(*patch).returncode == 0 or bench.kubectl.create({**ledger, "metadata": metadata}) == ""

    eventually(is_replaced, state=lambda: bench.operator.log[-3000:])


def _delete_keys(bench: Bench, pattern: str) -> None:
    with bench.redis() as client:
        if keys := client.keys(pattern):
            client.delete(*keys)


LOSSES: dict[str, Callable[[Bench, str, dict[str, Any]], None]] = {
    "the ledger is deleted": _delete_ledger,
    "the first ledger is in its place": _replace_ledger,
    "Redis loses the books": lambda bench, uid, _: _delete_keys(bench, f"taskgroup:{uid}*"),
    "Redis loses the results": lambda bench, *_: _delete_keys(bench, "celery-task-meta-*"),
}
OF_THE_LEDGER, OF_REDIS = list(LOSSES)[:2], list(LOSSES)[2:]
ROUNDS = [
    *((name,) for name in OF_THE_LEDGER),
    tuple(OF_THE_LEDGER),
    *((name,) for name in OF_REDIS),
    tuple(OF_REDIS),
    *product(OF_THE_LEDGER, OF_REDIS),
    tuple(LOSSES),
]


@pytest.mark.parametrize("ignore_result", [True, False], ids=["without results", "with results"])
def test_whatever_is_lost_no_counted_item_runs_again(bench: Bench, ignore_result: bool) -> None:
    """Counts fell to nothing for a second, and with ignoreResult each counted success ran again."""
    template = {"task": "demo.gate", "args": ["$(item)"], "options": {"ignoreResult": ignore_result}}
    shown = [0]

    def ends(number: int) -> None:
        def counted() -> bool:
            shown.append(bench.status("books").get("succeeded", 0))
            return shown[-1] >= number

        eventually(counted, state=lambda: bench.operator.log[-3000:])

    with bench.redis() as client:
        client.mset({f"open:{item}": 1 for item in range(1, 1 + ROUND * (1 + len(ROUNDS)))})
    uid = bench.apply("books", items=_items(1), template=template)
    with bench.worker(uid, "pod-a", "--pool", "threads", "-c", str(THREADS)), bench.redis() as client:
        ends(ROUND)
        first = bench.kubectl.get("taskgroupledger", f"books-{uid[:8]}-ledger")
        for done, losses in enumerate(ROUNDS, 2):
            for loss in losses:
                LOSSES[loss](bench, uid, first)
            bench.patch("books", {"items": _items(done)})
            ends(ROUND * done)
            if losses == tuple(OF_THE_LEDGER):
                assert client.lrange("notes", 0, -1).count(str(HELD).encode()) == 1, "Redis had lost nothing yet"
        client.set(f"open:{HELD}", 1)
        status = bench.finished("books")
        runs = Counter(int(text) for text in client.lrange("notes", 0, -1))

    assert (status["state"], status["succeeded"]) == ("Complete", len(_items(1 + len(ROUNDS))))
    assert shown == sorted(shown), "a count went back"
    assert {item: runs[item] for item in _items(1 + len(ROUNDS)) if item != HELD and runs[item] != 1} == {}


def _items(rounds: int) -> list[int]:
    return list(range(1 + ROUND * rounds))
