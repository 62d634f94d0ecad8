"""A deletion comes to its end, in bounded time, whatever stands in its way."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.builders import NAME, UID
from support.memory.kubernetes import MemoryGroupStore
from support.world_operator import WorldClock
from taskgroup.api.names import Reason
from taskgroup.broker.port import Route
from taskgroup.connections.linking import Link, Linker
from taskgroup.core.groups.observed import QueueState
from taskgroup.core.meta import Meta
from taskgroup.groups import cleanup
from taskgroup.groups.cleanup import Cleaner, Waiting
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.transport.errors import BrokerError

BODY: dict[str, Any] = {
    "metadata": {"uid": UID, "name": NAME, "namespace": "shop", "deletionTimestamp": "2026-01-02T03:04:05Z"},
    "spec": {"sequence": {"count": 1}, "template": {"task": "t"}, "workers": {"image": "a", "app": "b"}},
}


class Broker:
    """Only what a cleanup asks first."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    async def observe(self, _: Route, __: list[str]) -> QueueState:
        answer = self._answer()
        return cast(QueueState, await answer if asyncio.iscoroutine(answer) else answer)


class Links:
    """A Linker for one broker."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._link = cast(Link, SimpleNamespace(connection=SimpleNamespace(groups=Broker(answer))))
        self.unlinked = False

    async def link_for_cleanup(self, *_: object) -> Link:
        return self._link

    async def unlink(self, *_: object) -> None:
        self.unlinked = True


async def cleaned(answer: Callable[[], Any], body: dict[str, Any] = BODY, readers: list[str] | None = None) -> Links:
    """What was done to the workers, and the links, after a cleanup that came to its end."""
    stopped: list[str] = []

    async def stop(meta: Meta, _: Waiting) -> list[str]:
        stopped.append(meta.uid)
        return []

    async def is_terminating(namespace: str) -> bool:
        return not namespace

    links = Links(answer)
    log = logging.getLogger("test")
    report = partial(DeletionReport, MemoryGroupStore(), WorldClock(), log)

    async def stop_reading(meta: Meta) -> None:
        assert readers is not None, "nothing is read for this group"
        readers.append(meta.uid)

    cleaner = Cleaner(cast(Linker, links), stop, is_terminating, report, log, stop_reading)
    await asyncio.wait_for(cleaner.clean(body), 20)
    assert stopped == [UID]
    return links


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "BROKER_SECONDS", 0.05)
    monkeypatch.setattr(cleanup, "ERASE_SECONDS", 0.1)
    monkeypatch.setattr(cleanup, "_POLL_SECONDS", 0.01)


def raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "answer",
    [
        raising(TypeError("unsupported operand")),
        raising(OverflowError("too large")),
        raising(RecursionError("too deep")),
        raising(BrokerError(Reason.UNREACHABLE, "The broker is away.")),
        lambda: asyncio.sleep(3_600),
        lambda: None,
    ],
    ids=["type", "overflow", "depth", "away", "never answers", "nothing"],
)
async def test_whatever_the_broker_says_the_deletion_ends(
    answer: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A value of another type raised a TypeError, the handler was tried again every 5 s, and the object stayed."""
    links = await cleaned(answer)

    assert links.unlinked
    assert "its keys in Redis stay behind" in caplog.text


@pytest.mark.parametrize("spec", [None, 5, "text", [], [1], {"workers": 5}, {"sequence": {"count": "many"}}])
async def test_whatever_the_spec_is_the_deletion_ends(spec: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An older definition may have let it pass."""
    await cleaned(lambda: QueueState(None), {**BODY, "spec": spec})

    assert "its keys in Redis stay behind" in caplog.text


async def test_an_object_without_a_spec_is_deleted() -> None:
    await cleaned(lambda: QueueState(None), {"metadata": BODY["metadata"]})


async def test_a_pod_that_reads_items_goes_first() -> None:
    readers: list[str] = []

    await cleaned(
        lambda: QueueState(None), BODY | {"spec": BODY["spec"] | {"itemsFrom": {"url": "http://a/b.csv"}}}, readers
    )

    assert readers == [UID]
