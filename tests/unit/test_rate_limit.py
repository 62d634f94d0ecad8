"""Starts that are held to a rate: tokens, what a restart knows of them, and any window of a whole life."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import NOW, after, indexes, ledger, look, only, queue, running, spec, view
from support.examples import examples
from support.stories import CALM, LOSS, SECONDS, Step, check, check_end, live_on, lived, stories
from support.world import World
from taskgroup.core.groups.observed import Carried, Observed
from taskgroup.core.groups.plan import Dispatch, Plan, Redispatch, Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.tokens import Tokens, read_rate

SLOW = spec(rateLimit="6/m")
STEP = read_rate("6/m").seconds
KNOWN = Carried(paced_for="6/m")


@pytest.mark.parametrize(
    ("text", "window"),
    [("1/s", 1), ("7/s", 1), ("10/s", 1), ("999/s", 1), ("10/m", 60), ("1000/m", 60), ("10/h", 3600)],
)
def test_whole_batches_never_exceed_the_rate_and_come_near_it(text: str, window: int) -> None:
    rate, most = read_rate(text), int(text.partition("/")[0])
    batches = -(-window // rate.seconds)

    assert batches * rate.batch <= most
    assert rate.batch / rate.seconds > 0.55 * most / window


def sent(plan: Plan) -> int:
    return sum(len(one.indexes) for one in only(plan, Dispatch)) + sum(len(one.units) for one in only(plan, Redispatch))


def begun(seen: Observed, plan: Plan, **fields: object) -> Observed:
    """The next look when the first item was dispatched and a worker has taken it."""
    taken = plan.ledger.dispatched(0, 1)
    return after(seen, plan, ledger=taken, queue=queue(0, 1), **fields)


def test_one_item_is_dispatched_with_each_token() -> None:
    seen = running(SLOW)
    first = reconcile(seen, NOW)
    assert sent(first) == 0, "the limit is new to this operator"

    seen = after(seen, first)
    second = look(seen, NOW + 1)
    assert (sent(second), second.save) == (1, True), "saved before it is dispatched"
    assert second.ledger.tokens == Tokens(NOW + 1, waits=True)
    assert second.wake_after < 0.1

    taken = begun(seen, second)
    third = look(taken, NOW + 3)
    assert (sent(third), third.ledger.tokens) == (0, Tokens(NOW + 3)), "the next one counts from its start"
    seen = after(taken, third)
    assert look(seen, NOW + 3 + STEP - 4).wake_after == pytest.approx(4)
    assert sent(look(seen, NOW + 3 + STEP - 0.01)) == 0
    assert sent(look(seen, NOW + 3 + STEP)) == 1
    assert sent(look(seen, NOW + 3 + 100 * STEP)) == 1, "tokens do not add up"


def test_nothing_is_dispatched_while_an_earlier_item_waits_however_long() -> None:
    waits = ledger(10, dispatched=1, tokens=Tokens(NOW, waits=True))

    for late in (1.0, 1000.0):
        assert sent(look(running(SLOW, waits, carried=KNOWN, queue=queue(1)), NOW + late)) == 0


@pytest.mark.parametrize(("ready", "held", "count"), [(0, 0, 0), (1, 3, 1), (1, 4, 0), (2, 4, 1), (1, 6, 0)])
def test_only_an_idle_slot_gets_an_item(ready: int, held: int, count: int) -> None:
    seen = running(SLOW, ledger(10, dispatched=held), carried=KNOWN, queue=queue(0, held), view=view(3, ready=ready))

    assert sent(reconcile(seen, NOW)) == count


def test_a_fast_limit_gives_several_at_once() -> None:
    seen = running(spec(rateLimit="10/s"), carried=Carried(paced_for="10/s"))
    plan = reconcile(seen, NOW)

    assert (sent(plan), plan.save) == (5, False)


def test_what_comes_back_takes_tokens() -> None:
    books = ledger(10, dispatched=5, returned=indexes(1, 2, 3), tokens=Tokens(NOW))
    seen = running(SLOW, books, carried=KNOWN)

    assert sent(look(seen, NOW + 1)) == 0
    assert only(look(seen, NOW + STEP), Redispatch) == [Redispatch(indexes(1))]


def test_a_new_limit_takes_back_what_was_dispatched_without() -> None:
    seen = running(SLOW, ledger(10, dispatched=6), queue=queue(3, 3))
    plan = reconcile(seen, NOW)

    assert only(plan, Withdraw) == [Withdraw(running=False)]
    seen = after(seen, plan, queue=queue(0, 3))
    assert only(look(seen, NOW + 1), Withdraw) == []
    assert sent(look(seen, NOW + STEP - 0.1)) == 0, "nobody knows when the others started"


def test_an_item_that_a_worker_gave_back_waits_again() -> None:
    books = ledger(10, dispatched=2, tokens=Tokens(NOW))

    back = look(running(SLOW, books, carried=KNOWN, queue=queue(1, 1)), NOW + 100)
    assert (sent(back), back.ledger.tokens) == (0, Tokens(NOW + 100, waits=True))
    nowhere = replace(books, tokens=Tokens(NOW, waits=True))
    plan = look(running(SLOW, nowhere, carried=KNOWN, queue=queue(0, 1)), NOW + 100)
    assert (sent(plan), plan.ledger.tokens.waits) == (0, True), "no worker holds it"


def test_without_a_limit_nothing_of_this_happens() -> None:
    seen = running(spec(), ledger(10, dispatched=2, tokens=Tokens(NOW, waits=True)), queue=queue(1, 1))
    plan = reconcile(seen, NOW)

    assert (only(plan, Withdraw), sent(plan), plan.save) == ([], 8, False)


@pytest.mark.parametrize("tokens", [Tokens(NOW - 3), Tokens(NOW - 3, waits=True), Tokens()])
@pytest.mark.parametrize("text", ["6/m", "1/s"])
def test_a_new_operator_is_never_early(tokens: Tokens, text: str) -> None:
    seen = running(spec(rateLimit=text), ledger(10, dispatched=1, tokens=tokens), queue=queue(0, 1))
    plan = reconcile(seen, NOW)
    is_known = text == "6/m" and tokens == Tokens(NOW - 3)

    assert plan.ledger.tokens == (tokens if is_known else Tokens(NOW))
    assert sent(look(after(seen, plan), NOW + read_rate(text).seconds - (3.1 if is_known else 0.1))) == 0


PACED = {name: CALM[name] for name in ("look", "settle", "take", "succeed")} | {
    "operator killed": lambda world, _: world.kill(),
    "operator killed in a look": lambda world, number: _killed(world, number),
}


MORTAL = PACED | {name: LOSS[name] for name in ("connection lost", "container dies", "pod dies", "task retries itself")}


def _killed(world: World, number: int) -> None:
    world.now += SECONDS[number % len(SECONDS)]
    world.fuse = number
    world.look()
    world.fuse = None


def paced_life(text: str, story: list[tuple[str, int]], count: int, steps: dict[str, Step]) -> int:
    """How many starts there were: a start is the moment at which a worker takes an item."""
    world = lived(spec(count, rateLimit=text, workers={"concurrency": 3, "maxReplicas": 2}), story, steps)

    check(world)
    check_end(world)
    return starts_within(world, text)


def starts_within(world: World, text: str) -> int:
    most, window = int(text.partition("/")[0]), {"s": 1, "m": 60}[text[-1]]
    starts = sorted(world.taken_at)
    assert all(later - first >= window for first, later in zip(starts, starts[most:], strict=False))
    return len(starts)


@settings(max_examples=60)
@given(st.sampled_from(["1/s", "9/s", "3/m", "20/m"]), stories(PACED), st.integers(1, 12))
def test_no_window_holds_more_starts_than_the_rate(text: str, story: list[tuple[str, int]], count: int) -> None:
    assert paced_life(text, story, count, PACED) == count


@settings(max_examples=examples(60))
@given(st.sampled_from(["1/s", "9/s", "3/m", "20/m"]), stories(MORTAL), st.integers(1, 12))
def test_what_dead_workers_held_takes_tokens(text: str, story: list[tuple[str, int]], count: int) -> None:
    assert paced_life(text, story, count, MORTAL) >= count


def test_three_items_whose_worker_died_are_not_started_together() -> None:
    world = World(spec(5, rateLimit="3/m", workers={"concurrency": 3, "maxReplicas": 1}))
    while len(world.in_hands()) < 3:
        world.now += 25.0
        for _ in range(3):
            world.look()
            world.workers.settle(world.tick())
        world.take(0, 3)
        world.look()
    world.workers.die(0, world.tick(), restart=False)

    live_on(world, [], MORTAL)
    check_end(world)
    assert starts_within(world, "3/m") == 8


@settings(max_examples=40)
@given(st.sampled_from(["1/s", "20/m"]), stories(LOSS))
def test_a_paced_group_ends_whoever_dies(text: str, story: list[tuple[str, int]]) -> None:
    check_end(lived(spec(6, rateLimit=text, workers={"concurrency": 2, "maxReplicas": 2}), story, LOSS))


def test_a_story_would_show_a_limit_that_is_not_kept() -> None:
    starts = sorted(lived(spec(12), [], PACED).taken_at)

    assert any(later - first < 60 for first, later in zip(starts, starts[3:], strict=False))
