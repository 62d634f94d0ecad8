"""What live pods hold is a claim: their workers are asked, and what they do not have goes back or away."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, UID, indexes, spec
from support.pool_builders import claim_look, demand, ended, pods, pool, pool_queue, workers
from taskgroup.core.action import Action
from taskgroup.core.pools import claims
from taskgroup.core.pools.claim_history import ClaimHistory, ClaimLook
from taskgroup.core.pools.observed import Outage, PoolObserved
from taskgroup.core.pools.plan import AskClaims, Discard, PutBack, StopPod

RUNS = workers(1, members=pods("a", started_at=NOW - 1000))
OUTAGE = Outage(NOW - 8, NOW - 3)


def seen(*looks: ClaimLook, **fields: Any) -> PoolObserved:
    history = ClaimHistory(looks=looks, asked_at=looks[-1].at if looks else None)
    base: dict[str, Any] = {"workers": RUNS, "queue": pool_queue(a=2, oldest=NOW - 100), "pool": UID}
    return pool(claims=history, **base | fields)


def settled(*looks: ClaimLook, **fields: Any) -> tuple[Action, ...]:
    return claims.settle(seen(*looks, **fields), NOW)


def two(held: str, first: str | None, second: str | None, *, apart: float = 10.0, **fields: Any) -> list[ClaimLook]:
    """Two looks at pod a; None is a worker that says nothing."""
    answers = ((NOW - apart, first), (NOW, second))
    return [claim_look(at, {"a": held}, {} if said is None else {"a": said}, **fields) for at, said in answers]


def tags(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_what_a_worker_dropped_is_put_back_after_two_looks() -> None:
    assert settled(*two("x y", "y", "y")) == (PutBack("a", tags("x")),)


def test_a_paced_group_sends_it_again_itself() -> None:
    assert settled(*two("x y", "y", "y"), demand=demand(anew=True)) == (PutBack("a", tags("x"), anew=True),)


def test_one_look_decides_nothing() -> None:
    assert settled(claim_look(NOW, {"a": "x"}, {"a": ""})) == ()


def test_two_looks_too_close_to_each_other_decide_nothing() -> None:
    """A message may be on its way from the unacked hash to the worker's lists."""
    assert settled(*two("x", "", "", apart=9.0)) == ()


@pytest.mark.parametrize(("first", "second"), [("x", ""), ("", "x"), ("x", "x")])
def test_what_a_worker_claims_stays(first: str, second: str) -> None:
    assert settled(*two("x", first, second)) == ()


def test_another_container_in_the_pod_is_asked_anew() -> None:
    before, now = two("x", "", "")
    restarted = ClaimLook(at=now.at, containers={"a": "a/1"}, held=now.held, claims=now.claims)

    assert settled(before, restarted) == ()


def test_a_message_that_came_between_the_looks_is_not_put_back() -> None:
    looks = (claim_look(NOW - 20, {"a": "x"}, {"a": ""}), claim_look(NOW, {"a": "x y"}, {"a": ""}))

    assert settled(*looks) == (PutBack("a", tags("x")),)


def test_what_has_a_result_is_removed_at_once_whatever_the_worker_says() -> None:
    """Up to Celery 5.5 a worker may list a task for ever that ended after it had connected anew."""
    assert settled(claim_look(NOW, {"a": "x y"}, {"a": "x y"}, ended=["x"])) == (Discard("a", tags("x")),)


def test_an_item_whose_end_was_counted_is_removed_though_its_value_is_gone() -> None:
    look = claim_look(NOW, {"a": f"{UID}.1 {UID}.2 other.1"}, {})

    assert settled(look, demand=demand(over=indexes(1))) == (Discard("a", tags(f"{UID}.1")),)


def test_after_the_end_remainders_keep_no_pod() -> None:
    over = ended(over=indexes(range(10)))
    look = claim_look(NOW, {"a": f"{UID}.1"}, {"a": f"{UID}.1"})

    assert settled(look, demand=over) == (Discard("a", tags(f"{UID}.1")),)


def test_nothing_is_put_back_into_a_group_whose_rest_was_cancelled() -> None:
    assert settled(*two("x", "", ""), demand=ended(give_back=False)) == ()


def test_what_waits_for_its_rate_limit_stays() -> None:
    """It is on none of the worker's lists until its turn has come."""
    rates = {"shop.slow": 1 / 60}
    early, late = (two("x", "", "", taken_at=NOW - ago, task="shop.slow", rates=rates) for ago in (250, 350))

    assert settled(*early) == ()
    assert settled(*late) == (PutBack("a", tags("x")),)
    assert settled(*two("x", "", "", taken_at=NOW - 9e9, task="shop.slow", rates={"shop.slow": 0.0})) == ()


@pytest.mark.parametrize(("kind", "stays"), [("prefork", False), ("threads", True), ("gevent", True)])
def test_a_full_worker_may_keep_more_than_it_says(kind: str, stays: bool) -> None:
    """All pools but prefork keep, over a lost connection, what waits for a free slot."""
    workers_spec = spec(workers={"pool": kind, "concurrency": 2}).workers

    assert bool(settled(*two("x", "", "", running=2), workers_spec=workers_spec)) is not stays
    assert settled(*two("x", "", "", running=1), workers_spec=workers_spec)


def test_a_silent_worker_keeps_what_it_may_run() -> None:
    assert settled(*two("x", None, None)) == ()
    assert settled(*two("x", "", None)) == ()
    assert settled(*two("x", None, "")) == ()


def test_time_limits_bound_how_long_a_silent_worker_may_keep_messages() -> None:
    """Its app has switched remote control off, say."""
    workers_spec = spec(workers={"concurrency": 1}).workers
    early, late = (two("x", None, None, limit=10.0, taken_at=NOW - seconds) for seconds in (75, 85))
    waiting = two("x", None, None, limit=10.0, taken_at=NOW - 85, eta=NOW - 50)

    assert settled(*early, workers_spec=workers_spec) == ()
    assert settled(*late, workers_spec=workers_spec) == (PutBack("a", tags("x")),)
    assert settled(*waiting, workers_spec=workers_spec) == ()


def outage(seconds: float) -> tuple[Outage, ...]:
    return (Outage(NOW - seconds - 5, NOW - seconds),)


def test_a_worker_that_an_outage_left_deaf_is_stopped() -> None:
    looks = two("x", None, None, taken_at=NOW - 900)

    assert settled(*looks, outages=outage(299)) == ()
    assert settled(*looks, outages=outage(301)) == (StopPod("a"),)
    assert settled(*two("x", None, "x", taken_at=NOW - 900), outages=outage(301)) == ()
    assert settled(*two("x", None, None, taken_at=NOW - 100), outages=outage(301)) == ()


def test_a_solo_worker_says_nothing_while_it_works() -> None:
    workers_spec = spec(workers={"pool": "solo", "concurrency": 1}).workers
    looks = two("x", None, None, taken_at=NOW - 900)

    assert settled(*looks, outages=outage(301), workers_spec=workers_spec) == ()


def asked(*, asked_at: float | None = None, calm: int = 0, **fields: Any) -> tuple[Action, ...]:
    return claims.ask(replace(seen(**fields), claims=ClaimHistory(asked_at=asked_at, calm=calm)), NOW)


def test_workers_are_asked_about_what_they_have_held_for_long() -> None:
    assert asked() == (AskClaims(("a",)),)
    assert asked(queue=pool_queue(a=1, oldest=NOW - 29)) == ()
    assert asked(queue=pool_queue(a=0)) == ()
    assert asked(queue=None) == ()


def test_long_tasks_cost_a_question_every_five_minutes() -> None:
    assert asked(asked_at=NOW - 299, calm=20) == ()
    assert asked(asked_at=NOW - 301, calm=20)


def test_after_an_outage_workers_are_asked_at_once() -> None:
    young = pool_queue(a=1, oldest=NOW - 9)

    assert asked(queue=young, asked_at=NOW - 20, calm=20, outages=(OUTAGE,))
    assert asked(queue=young, asked_at=NOW - 2, calm=0, outages=(OUTAGE,)) == ()
    assert asked(queue=pool_queue(a=1, oldest=NOW - 2), outages=(OUTAGE,)) == ()


def test_looks_become_rarer_while_workers_claim_what_they_hold() -> None:
    history = ClaimHistory(asked_at=NOW)
    intervals = []
    for _ in range(7):
        history = claims.noted(history, claim_look(NOW, {"a": "x"}, {"a": "x"}), None)
        intervals.append(claims.interval(history.calm))
    assert intervals == [20, 40, 80, 160, 300, 300, 300]
    assert len(history.looks) == 2

    history = claims.noted(history, claim_look(NOW, {"a": "x"}, {"a": ""}), None)
    assert claims.interval(history.calm) == claims.CLAIM_SECONDS


@pytest.mark.parametrize(("back", "calm"), [(None, 1), (NOW - 200, 1), (NOW - 20, 0)])
def test_a_worker_that_is_still_connecting_is_asked_again_soon(back: float | None, calm: int) -> None:
    assert claims.noted(ClaimHistory(), claim_look(NOW, {"a": "x"}, {}), back).calm == calm
