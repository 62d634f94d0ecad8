"""What worker deaths and vanished messages lead to."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from support.builders import NOW, broker, indexes, ledger, pods, running, workers
from taskgroup.api.names import Reason
from taskgroup.core.groups.observed import Observed, PodFacts, Suspicion
from taskgroup.core.groups.plan import Action, MarkMissing, Requeue, Search
from taskgroup.core.groups.recovery import (
    MAX_MISSED,
    SEARCH_SECONDS,
    after_data_loss,
    container,
    mark_missing,
    missing,
    requeues,
    search,
)
from taskgroup.core.indexes import NONE, Indexes

IN_FLIGHT = indexes(range(4))


def given(pod: PodFacts, *, held: int = 2, requeued: frozenset[str] = frozenset()) -> Observed:
    return running(
        workers=workers(1, members=(pod,)), broker=replace(broker(), unacked={pod.name: held}), requeued=requeued
    )


def pod(**fields: Any) -> PodFacts:
    return pods("p", **fields)[0]


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (pod(), None),
        (pod(terminating=True), None),
        (pod(ended=True), Requeue("p", 0, None, count_loss=True)),
        (pod(ended=True, terminating=True), Requeue("p", 0, None, count_loss=False)),
        (pod(restarts=1, started_at=NOW), Requeue("p", 1, NOW, count_loss=True)),
        (pod(restarts=1, started_at=None), None),
        (pod(restarts=2, ended=True), Requeue("p", 2, None, count_loss=True)),
    ],
    ids=["runs", "stops", "died", "was stopped", "restarted", "is restarting", "restarted and died"],
)
def test_items_of_ended_containers_go_back(facts: PodFacts, action: Action | None) -> None:
    assert requeues(given(facts)) == ((action,) if action else ())


def test_a_pod_that_holds_nothing_has_nothing_to_give_back() -> None:
    assert requeues(given(pod(ended=True), held=0)) == ()


def test_without_a_broker_nothing_can_be_given_back() -> None:
    assert requeues(replace(given(pod(ended=True)), broker=None)) == ()


def test_a_restart_is_answered_once() -> None:
    restarted = pod(restarts=1, started_at=NOW)

    assert requeues(given(restarted, requeued=frozenset({container(restarted)}))) == ()
    again = replace(restarted, restarts=2)
    assert requeues(given(again, requeued=frozenset({container(restarted)}))) != ()


def test_a_pod_that_restarted_and_then_ended_gives_back_what_its_last_container_held() -> None:
    restarted = pod(restarts=1, started_at=NOW)
    ended = replace(restarted, ended=True)

    assert requeues(given(ended, requeued=frozenset({container(restarted)}))) == (
        Requeue("p", 1, None, count_loss=True),
    )


def searched(*absent: Indexes, apart: float = SEARCH_SECONDS, silent: tuple[str, str] = ("", "")) -> Observed:
    found = tuple(
        Suspicion(NOW + number * apart, members, frozenset(filter(None, [silent[number]])))
        for number, members in enumerate(absent)
    )
    return running(suspicions=found)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (searched(), NONE),
        (searched(indexes(1)), NONE),
        (searched(indexes(1, 2), indexes(2, 3)), indexes(2)),
        (searched(indexes(2, 9), indexes(2, 9)), indexes(2)),
        (searched(indexes(2), indexes(2), apart=SEARCH_SECONDS - 1), NONE),
        (searched(indexes(2), indexes(2), silent=("p/0", "p/0")), NONE),
        (searched(indexes(2), indexes(2), silent=("p/0", "p/1")), indexes(2)),
        (searched(indexes(2), indexes(2), silent=("p/0", "")), indexes(2)),
    ],
    ids=["never", "once", "twice", "not in flight", "too soon", "silent", "restarted since", "answered since"],
)
def test_missing_is_what_was_nowhere_twice(seen: Observed, expected: Indexes) -> None:
    assert missing(seen, IN_FLIGHT) == expected


def test_looks_for_items_when_fewer_are_held_than_are_out() -> None:
    seen = running(broker=broker(queued=1, p=2))

    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS - 1) == (), "not at the start: messages are on their way"
    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS) == (Search(),)


@pytest.mark.parametrize(
    "seen",
    [
        running(broker=broker(queued=2, p=2)),
        running(broker=None),
        running(broker=broker(queued=1), suspicions=(Suspicion(NOW + 1, NONE),)),
    ],
    ids=["all are held", "no broker", "looked just now"],
)
def test_does_not_look_without_need(seen: Observed) -> None:
    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS) == ()


def test_nothing_out_is_nothing_to_look_for() -> None:
    assert search(running(broker=broker()), NONE, NOW + SEARCH_SECONDS) == ()


def test_a_missing_item_is_sent_again_under_its_id() -> None:
    books, actions = mark_missing(ledger(dispatched=4), indexes(2), NOW)

    assert actions == (MarkMissing(indexes(2)),)
    assert not books.missed, "it counts once it was done, not once it was planned"
    assert dict(books.marked_missing(indexes(2)).missed) == {2: 1}
    assert books.attempts.get(2, 0) == 0


def test_after_too_many_times_it_is_lost() -> None:
    books = ledger(dispatched=4, missed=MappingProxyType({1: MAX_MISSED, 2: MAX_MISSED - 1}))

    books, actions = mark_missing(books, indexes(1, 2), NOW)

    assert actions == (MarkMissing(indexes(2)),)
    assert books.failed == indexes(1)
    assert [group.reason for group in books.failures] == [Reason.LOST]


def test_lost_data_make_a_new_attempt_of_what_was_out_and_leave_the_rest() -> None:
    books = ledger(10, dispatched=6, succeeded=indexes(0), returned=indexes(3), attempts=MappingProxyType({2: 1}))

    lost = after_data_loss(books, indexes(range(6)), "new")

    assert lost.nonce == "new"
    assert lost.returned == indexes(range(1, 6))
    assert dict(lost.attempts) == {1: 1, 2: 2, 3: 1, 4: 1, 5: 1}
    assert dict(lost.cursors) == {0: 6}
    assert lost.succeeded == indexes(0)
