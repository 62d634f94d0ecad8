"""Prometheus is answered in a thread of its own: what it reads there may grow and shrink in the same moment."""

from collections import deque
from typing import Any

from taskgroup.cluster.turns import Turns, _Line
from taskgroup.connections.shared import Connections
from taskgroup.results.redis_results import RedisResults
from taskgroup.results.subscription import Subscription
from taskgroup.results.sweep import Sweeper

URL = "redis://127.0.0.1:1/0"


def test_requests_come_to_wait_while_those_that_wait_are_counted() -> None:
    turns = Turns(1)

    class Growing(deque[Any]):
        def __len__(self) -> int:
            turns._lines[f"another {len(turns._lines)}"] = _Line()  # noqa: SLF001
            return 2

    turns._lines.update(shop=_Line(ongoing=Growing()), lab=_Line(ongoing=Growing()))  # noqa: SLF001

    assert turns.waiting == 4


def test_groups_come_while_the_age_of_the_counts_is_asked_for() -> None:
    sweeper = Sweeper(RedisResults(URL))

    class Growing(Subscription):
        @property
        def waiting(self) -> tuple[str, ...]:
            sweeper.subscribe(f"another {len(sweeper._subscriptions)}", lambda: None)  # noqa: SLF001
            return ()

    for uid in ("a", "b"):
        sweeper._subscriptions[uid] = Growing(uid, lambda: None, lambda: None)  # noqa: SLF001

    assert sweeper.age == 0.0


def test_connections_are_opened_while_their_sweepers_are_asked_for() -> None:
    opened: dict[Any, Any] = {}
    connections = Connections(opened.__getitem__)

    class Growing:
        @property
        def sweeper(self) -> str:
            connections._open[len(connections._open)] = self  # type: ignore[index, assignment]  # noqa: SLF001
            return "sweeper"

    connections._open.update(dict.fromkeys(("a", "b"), Growing()))  # type: ignore[arg-type]  # noqa: SLF001

    assert len(connections.sweepers()) == 2
