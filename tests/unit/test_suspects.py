"""A worker dies of one of the items that it runs: only that one is given up, its neighbours succeed."""

from types import MappingProxyType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import indexes, ledger, look, only, running, spec, state, view
from support.stories import check, check_end
from support.world import POOL, World
from taskgroup.api.names import Reason
from taskgroup.core.exchange import MAX_LOSSES, SUSPECT_LOSSES
from taskgroup.core.groups.observed import BrokerBooks, Observed, QueueState
from taskgroup.core.groups.plan import Dispatch, Redispatch
from taskgroup.core.indexes import NONE, Indexes, parse_indexes
from taskgroup.core.ledger import Ledger

WIDE = {"concurrency": 4, "maxReplicas": 2}


def books(losses: dict[int, int], returned: Indexes, **fields: Any) -> Ledger:
    """Six items, all dispatched at least once."""
    return ledger(6, dispatched=6, returned=returned, losses=MappingProxyType(losses), **fields)


def group(known: Ledger, **fields: Any) -> Observed:
    return running(spec(6, workers=WIDE), known, **fields)


def sent(known: Ledger, **fields: Any) -> list[Indexes]:
    return [action.units for action in only(look(group(known, **fields)), Redispatch)]


def test_a_suspect_is_sent_alone_while_the_others_go_on() -> None:
    waiting = indexes(0, 1, 2, 3)

    assert sent(books({0: 2, 1: 2, 2: 2}, waiting)) == [indexes(0), indexes(3)]
    assert sent(books({0: 1, 1: 1}, waiting)) == [waiting], "one death may be an accident"


def test_no_second_suspect_is_sent_while_one_is_out() -> None:
    assert sent(books({0: 2, 1: 2}, indexes(1, 2))) == [indexes(2)]
    assert sent(books({0: 2, 1: 2}, indexes(1, 2), succeeded=indexes(0))) == [indexes(1), indexes(2)]


def test_the_last_chance_comes_when_nothing_else_runs() -> None:
    losses = {0: MAX_LOSSES, 1: MAX_LOSSES}

    assert sent(books(losses, indexes(0, 1), succeeded=indexes(2, 3, 4))) == [], "item 5 runs"
    assert sent(books(losses, indexes(0, 1, 5), succeeded=indexes(2, 3, 4))) == [indexes(5)]
    assert sent(books(losses, indexes(0, 1), succeeded=indexes(2, 3, 4, 5))) == [indexes(0)]


def test_one_that_may_run_beside_others_goes_before_the_last_chance_of_another() -> None:
    assert sent(books({0: MAX_LOSSES, 1: SUSPECT_LOSSES}, indexes(0, 1, 2))) == [indexes(1), indexes(2)]


def test_a_worker_that_runs_one_item_at_a_time_leaves_no_doubt() -> None:
    narrow = spec(6, workers={"concurrency": 1, "maxReplicas": 2})
    seen = running(narrow, books({0: 2, 1: 3}, indexes(0, 1, 2)), view=view(2, slots=4))

    assert only(look(seen), Redispatch) == [Redispatch(indexes(0, 1, 2))]


def test_suspects_ask_for_one_worker() -> None:
    plan = look(group(books({0: 2, 1: 2, 2: 3}, indexes(0, 1, 2), succeeded=indexes(3, 4, 5))))

    assert plan.demand is not None
    assert plan.demand.items == 1


def test_who_is_suspected_is_known_from_the_broker_after_a_restart() -> None:
    known = BrokerBooks(returned=indexes(0, 1), losses={0: 2, 1: 2, 7: 9})
    plan = look(group(books({}, NONE), books=known, queue=QueueState(state(cursors={0: 6}), 4)))

    assert only(plan, Redispatch) == [Redispatch(indexes(0))]
    assert only(plan, Dispatch) == []


class Crashes:
    """Workers that run several items at once, and die as soon as one of the poisoned ones is among them."""

    def __init__(self, count: int, poison: frozenset[int], concurrency: int, replicas: int) -> None:
        self.world = World(spec(count, workers={"concurrency": concurrency, "maxReplicas": replicas}))
        self._poison = poison
        self._concurrency = concurrency

    def live(self, rounds: int, restarts: frozenset[int] = frozenset()) -> None:
        """Until the group has ended; the operator is killed in some rounds."""
        world = self.world
        for number in range(rounds):
            if number in restarts:
                world.kill()
            world.now += 1.5
            world.look()
            world.workers.settle(world.tick())
            for choice in range(self._concurrency * 3):
                world.take(choice, self._concurrency)
            self._crash()
            world.end(number)
            check(world)

    def _crash(self) -> None:
        world = self.world
        for choice, pod in reversed(list(enumerate(world.workers.live()))):
            hand = world.broker.hands.get((POOL, pod.name), ())
            if any(held.message.item and held.message.item.unit in self._poison for held in hand):
                world.workers.die(choice, world.tick(), restart=choice % 2 == 0)

    def lost(self) -> set[int]:
        """Items that were given up."""
        return {
            index
            for failure in self.world.status.failures or ()
            if failure.reason == Reason.LOST
            for index in parse_indexes(failure.indexes)
        }


def test_one_poison_item_beside_three_healthy_ones() -> None:
    """All four were given up: they lay side by side in each worker that died."""
    crashes = Crashes(4, frozenset({2}), concurrency=4, replicas=1)
    crashes.live(60)

    check_end(crashes.world)
    assert (crashes.world.status.succeeded, crashes.lost()) == (3, {2})
    assert crashes.world.books.losses[2] == MAX_LOSSES + 1


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 14), concurrency=st.integers(1, 4), replicas=st.integers(1, 3))
def test_only_the_poison_is_lost_however_much_of_it_there_is(
    data: st.DataObject, count: int, concurrency: int, replicas: int
) -> None:
    poison = data.draw(st.frozensets(st.integers(0, count - 1), max_size=count))
    restarts = data.draw(st.frozensets(st.integers(0, 60), max_size=3))
    crashes = Crashes(count, poison, concurrency, replicas)
    crashes.live(60 + 40 * count, restarts)

    check_end(crashes.world)
    assert crashes.lost() == poison
