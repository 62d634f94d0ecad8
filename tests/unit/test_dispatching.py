"""What goes on the queue: by priority, then what came back, then by index."""

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import indexes, ledger, spec, work
from taskgroup.core.action import Action
from taskgroup.core.groups.dispatching import BATCH, dispatch, waiting
from taskgroup.core.groups.plan import Dispatch, Redispatch, Skip
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.lanes import Lane
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import Units

ONE_LANE = work(spec(20)).lanes
TWO_LANES = (Lane(9, indexes(1, 3, 5)), Lane(0, indexes(0, 2, 4)))


def sent(books: Ledger, lanes: tuple[Lane, ...], room: int, held_back: Indexes = NONE) -> list[Action]:
    return list(dispatch(books, lanes, room, held_back))


def test_starts_at_the_cursor() -> None:
    assert sent(ledger(20, dispatched=5), ONE_LANE, 3) == [Dispatch(0, 5, indexes(range(5, 8)))]


def test_no_room_sends_nothing() -> None:
    assert sent(ledger(20, dispatched=5, returned=indexes(1)), ONE_LANE, 0) == []


def test_everything_sent_sends_nothing() -> None:
    assert sent(ledger(20, dispatched=20), ONE_LANE, 100) == []


def test_what_came_back_goes_first() -> None:
    books = ledger(20, dispatched=5, returned=indexes(1, 4))

    assert sent(books, ONE_LANE, 4) == [Redispatch(indexes(1, 4)), Dispatch(0, 5, indexes(5, 6))]
    assert sent(books, ONE_LANE, 1) == [Redispatch(indexes(1))]


def test_the_urgent_lane_goes_first_even_before_what_came_back_in_another() -> None:
    books = ledger(6, dispatched={9: 1, 0: 2}, returned=indexes(2))

    assert sent(books, TWO_LANES, 4) == [
        Dispatch(9, 1, indexes(3, 5)),
        Redispatch(indexes(2)),
        Dispatch(0, 2, indexes(4)),
    ]


def test_batches_are_bounded_and_follow_each_other() -> None:
    actions = sent(ledger(12_000), work(spec(12_000)).lanes, 11_000)

    assert actions == [
        Dispatch(0, 0, indexes(range(BATCH))),
        Dispatch(0, BATCH, indexes(range(BATCH, 2 * BATCH))),
        Dispatch(0, 2 * BATCH, indexes(range(2 * BATCH, 11_000))),
    ]


def test_what_is_held_back_stays_and_the_others_go_on() -> None:
    books = ledger(20, dispatched=5, returned=indexes(1, 4))

    assert sent(books, ONE_LANE, 2, indexes(1)) == [Redispatch(indexes(4)), Dispatch(0, 5, indexes(5))]
    assert sent(books, ONE_LANE, 4, indexes(1, 4, range(5, 20))) == [], "the cursor stays where nobody is let through"


def test_the_cursor_passes_what_is_held_back() -> None:
    """What it passes counts as come back, so that it is sent when it is held back no more."""
    assert sent(ledger(20, dispatched=5), ONE_LANE, 3, indexes(6, 19)) == [
        Skip(0, 5, indexes(range(5, 20))),
        Redispatch(indexes(5, 7, 8)),
    ]


def test_waiting_is_what_is_neither_out_nor_ended() -> None:
    books = ledger(20, dispatched=8, succeeded=indexes(0, 1), returned=indexes(2))

    assert waiting(books, books.in_flight(ONE_LANE)) == 20 - 2 - 5


@st.composite
def books_and_lanes(draw: st.DrawFn) -> tuple[Ledger, tuple[Lane, ...]]:
    priorities = draw(st.lists(st.sampled_from([9, 5, 0]), min_size=1, max_size=40))
    compiled = work(spec(tasks=[{"task": "t", "options": {"priority": priority}} for priority in priorities]))
    cursors = {lane.priority: draw(st.integers(0, len(lane.indexes))) for lane in compiled.lanes}
    books = ledger(compiled.total, dispatched=cursors)
    out = sorted(books.ever_dispatched(compiled.lanes))
    back = draw(st.frozensets(st.sampled_from(out))) if out else frozenset()
    ended = draw(st.frozensets(st.sampled_from(out))) if out else frozenset()
    return books.withdrawn(FrozenBitMap(back)).succeeded_with(FrozenBitMap(ended)), compiled.lanes


def sent_by(action: Action) -> Units:
    """What the action puts on the queue."""
    if isinstance(action, Redispatch):
        return action.units
    return action.indexes if isinstance(action, Dispatch) else NONE


@given(books_and_lanes(), st.integers(0, 50))
def test_sends_each_waiting_item_once_up_to_the_room(drawn: tuple[Ledger, tuple[Lane, ...]], room: int) -> None:
    books, lanes = drawn
    count = 0
    for action in dispatch(books, lanes, room):
        if isinstance(action, Dispatch):
            assert books.cursors.get(action.priority, 0) == action.start, "a batch begins where the cursor is"
            books = books.dispatched(action.priority, action.start + len(action.indexes))
        elif isinstance(action, Redispatch):
            assert action.units <= books.returned
            books = books.redispatched(action.units)
        count += len(sent_by(action))

    before = drawn[0]
    assert count == min(room, waiting(before, before.in_flight(lanes)))
    assert books.in_flight(lanes) >= before.in_flight(lanes)
    assert books.in_flight(lanes).isdisjoint(books.ended)
    assert len(books.in_flight(lanes)) == len(before.in_flight(lanes)) + count
    assert books.in_flight(lanes) <= full(books.total)
