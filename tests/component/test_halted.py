"""A group whose items were changed halts: what runs is counted, and nothing more is sent until they are back."""

from support.task_groups import Bench
from taskgroup.api.names import Reason

ITEMS = ["a", "a", "b", "b"]


def test_what_runs_while_a_group_is_halted_is_counted(bench: Bench) -> None:
    """What had ended was shown as active until the items were put back, because the status before was told late."""
    uid = bench.apply("held", items=ITEMS, template={"task": "demo.gate", "args": ["$(item)"]}, parallelism=2)
    with bench.worker(uid), bench.redis() as client:
        bench.until("held", lambda status: status.get("active") == 2)
        bench.patch("held", {"items": [*ITEMS[:-1], "c"]})
        bench.until_reason("held", "ConfigurationValid", Reason.ITEMS_CHANGED)
        client.set("open:a", 1)
        status = bench.until("held", lambda status: status["succeeded"] == 2)
        assert (status["active"], status["pending"]) == (0, 2)
        assert bench.condition("held", "ConfigurationValid")["reason"] == Reason.ITEMS_CHANGED

        bench.patch("held", {"items": ITEMS})
        client.set("open:b", 1)
        assert bench.finished("held")["succeeded"] == 4
