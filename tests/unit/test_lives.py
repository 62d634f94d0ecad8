"""The order of an object's end: its loops first, then the cleanup."""

import asyncio
import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from taskgroup import kopf_handlers
from taskgroup.kopf_handlers import Lives, trim
from taskgroup.loops.meeting import Meetings

UID = "u1"
BODY: Mapping[str, Any] = {"metadata": {"uid": UID}}


class Stopped(asyncio.Event):
    """kopf's flag: true once it is set."""

    def __bool__(self) -> bool:
        return self.is_set()


class Looking:
    """A loop in the middle of a look that ends when it is let go."""

    def __init__(self, told: list[str]) -> None:
        self.released = asyncio.Event()
        self.began = asyncio.Event()
        self._told = told

    async def run(self, _: object, is_stopped: Callable[[], bool]) -> None:
        self.began.set()
        await self.released.wait()
        self._told.append("look has ended" if is_stopped() else "goes on")

    def forget(self, uid: str) -> None:
        self._told.append(f"forgotten {uid}")


class Cleaning:
    """A cleanup that says when it was done."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    async def clean(self, _: object) -> None:
        self._told.append("cleaned")

    def forget(self, uid: str) -> None:
        self._told.append(f"connection forgotten {uid}")


class Counting:
    """Who counts the groups that there are."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def seen(self, uid: str, namespace: str, state: str | None) -> None:
        self._told.append(f"{uid} is {state} in {namespace}")

    def forget(self, uid: str) -> None:
        self._told.append(f"no longer counted {uid}")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def loop(told: list[str]) -> Looking:
    return Looking(told)


@pytest.fixture
def meetings() -> Meetings:
    return Meetings()


@pytest.fixture
def lives(told: list[str], loop: Looking, meetings: Meetings) -> Lives:
    return Lives(cast(Any, loop), cast(Any, loop), cast(Any, Cleaning(told)), meetings, Counting(told))


async def test_the_cleanup_waits_for_a_look_under_way(lives: Lives, loop: Looking, told: list[str]) -> None:
    """Else the late look makes the Deployment again that the cleanup has deleted."""
    stopped = Stopped()
    following = asyncio.create_task(lives.follow(BODY, UID, cast(Any, stopped)))
    await loop.began.wait()
    stopped.set()
    cleaning = asyncio.create_task(lives.clean(BODY, UID))
    await asyncio.sleep(0)
    assert told == []

    loop.released.set()
    await asyncio.gather(following, cleaning)

    assert told == ["look has ended", "look has ended", "cleaned"]


async def test_a_look_that_does_not_end_puts_the_cleanup_off(
    lives: Lives, loop: Looking, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kopf_handlers, "_EXIT_SECONDS", 0.01)
    following = asyncio.create_task(lives.follow(BODY, UID, cast(Any, Stopped())))
    await loop.began.wait()

    with pytest.raises(TimeoutError):
        await lives.clean(BODY, UID)

    assert told == []
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await lives.clean(BODY, UID)
    assert told == ["cleaned"]


async def test_without_loops_it_is_cleaned_at_once(lives: Lives, told: list[str]) -> None:
    await lives.clean(BODY, UID)

    assert told == ["cleaned"]


async def test_an_object_that_is_gone_leaves_nothing(
    lives: Lives, loop: Looking, meetings: Meetings, told: list[str]
) -> None:
    """Nobody told of its deletion, so nobody else will forget it."""
    following = asyncio.create_task(lives.follow(BODY, UID, cast(Any, Stopped())))
    await loop.began.wait()

    meetings.of(UID).end()
    loop.released.set()
    await following

    assert told[2:] == [f"connection forgotten {UID}", f"forgotten {UID}", f"no longer counted {UID}"]


async def test_what_no_loop_reads_of_an_event_is_not_kept() -> None:
    """kopf keeps the last event of each object, and a thousand groups may have ended."""
    status: dict[str, Any] = {
        "completedIndexes": "0-19",
        "failures": [],
        "conditions": [{"type": "Finished", "status": "True"}, {"type": "Ready", "status": "True"}],
    }
    raw: dict[str, Any] = {"metadata": {"uid": UID, "managedFields": [{}]}, "status": status}

    trim(raw)

    assert raw["metadata"] == {"uid": UID}
    assert status["conditions"] == [{"type": "Finished", "status": "True"}]
    assert status["completedIndexes"] is None
    assert set(status) == {"completedIndexes", "failures", "conditions"}, "it would look as if nothing was written"


@pytest.mark.parametrize("raw", [{"metadata": {}}, {"metadata": {}, "status": {"observedGeneration": -1}}])
async def test_a_new_object_stays_as_it_is(raw: dict[str, Any]) -> None:
    before = copy.deepcopy(raw)

    trim(raw)

    assert raw == before
