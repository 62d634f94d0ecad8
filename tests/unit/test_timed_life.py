"""Whole lives of groups whose items wait for their time or for a token: every item ends, once, and none is early."""

from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import spec
from support.examples import examples
from support.stories import CALM, DEAF, FLUSH, HANDS, LOSS, OUTAGE, STORM, check_end, lived, stories
from support.story_specs import late_specs, paced_specs, with_countdown
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.status.conditions import seconds

timed_specs = late_specs | paced_specs


@settings(max_examples=examples(60))
@given(timed_specs, stories(STORM))
def test_every_item_ends_in_its_time(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, STORM))


@settings(max_examples=examples(40))
@given(timed_specs, stories(HANDS))
def test_hands_that_go_take_no_time_along(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, HANDS))


@settings(max_examples=examples(40))
@given(timed_specs, stories(LOSS))
def test_lost_messages_are_sent_again_in_time(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, LOSS))


@settings(max_examples=examples(40))
@given(timed_specs, stories(FLUSH))
def test_times_outlive_the_loss_of_all_data(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, FLUSH))


@settings(max_examples=examples(40))
@given(timed_specs, stories(OUTAGE | DEAF))
def test_times_outlive_answers_that_are_lost(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, OUTAGE | DEAF))


@given(st.integers(1, 30), stories(CALM))
def test_nothing_is_sent_before_its_time(wait: int, story: list[tuple[str, int]]) -> None:
    world = lived(with_countdown(spec(4), wait), story, CALM)

    check_end(world)
    assert world.status.start_time
    assert min(world.taken_at) >= seconds(world.status.start_time) + wait
