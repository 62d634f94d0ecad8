"""What a deletion waits for stands in the status, and nothing of the cleanup depends on it."""

import logging

import pytest

from support.builders import meta
from support.memory.kubernetes import MemoryGroupStore
from support.world_operator import WorldClock
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.errors import ApiError
from taskgroup.core.meta import Meta
from taskgroup.core.status.conditions import find
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.transport.errors import BrokerError


class CountingStore(MemoryGroupStore):
    """Counts the writes of the status, and refuses them when told to."""

    writes = 0
    refuses = False

    async def write_status(self, meta: Meta, status: TaskGroupStatus, version: str) -> str:
        """See GroupStore."""
        self.writes += 1
        if self.refuses:
            raise ApiError("no", status=403)
        return await super().write_status(meta, status, version)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def report(store: CountingStore) -> DeletionReport:
    return DeletionReport(store, WorldClock(), logging.getLogger("test"), meta())


def ready(store: MemoryGroupStore) -> tuple[str, str]:
    condition = find(store.status, ConditionType.READY)
    assert condition is not None
    return condition.reason, condition.message


async def test_it_names_the_pods_that_are_waited_for(store: CountingStore, report: DeletionReport) -> None:
    await report.waits_for_pods(["a", "b", "c", "d"], 60.0)
    text = "Waiting for 4 worker pods to stop: a, b, c and 1 more (up to 60 s)."
    assert ready(store) == (Reason.DELETING, text)

    await report.waits_for_pods(["b"], 60.0)
    assert ready(store)[1] == "Waiting for 1 worker pod to stop: b (up to 60 s)."


async def test_the_same_is_written_once(store: CountingStore, report: DeletionReport) -> None:
    for _ in range(5):
        await report.waits_for_pods(["a"], 60.0)

    assert store.writes == 1


async def test_it_says_that_redis_does_not_answer(store: CountingStore, report: DeletionReport) -> None:
    async def fails() -> None:
        raise BrokerError(Reason.UNREACHABLE, "redis:6379 does not answer")

    with pytest.raises(BrokerError):
        await report.telling(fails, 30.0)()

    text = "Waiting for Redis, to remove the group's keys (up to 30 s): redis:6379 does not answer"
    assert ready(store) == (Reason.DELETING, text)


async def test_a_report_that_is_refused_does_not_stop_the_cleanup(store: CountingStore, report: DeletionReport) -> None:
    store.refuses = True

    await report.waits_for_pods(["a"], 60.0)

    assert store.status == TaskGroupStatus()
