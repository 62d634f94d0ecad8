"""Conditions by the rules of the Kubernetes API."""

from hypothesis import given
from hypothesis import strategies as st

from support.builders import NOW
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import Condition, TaskGroupStatus
from taskgroup.core.status.conditions import (
    Desired,
    fails,
    find,
    holds,
    is_true,
    merged,
    seconds,
    timestamp,
    with_hindrance,
)

desired = st.builds(
    Desired, st.sampled_from(["True", "False", "Unknown"]), st.sampled_from(["A", "B"]), st.text(max_size=5)
)
all_desired = st.fixed_dictionaries(dict.fromkeys(ConditionType, desired))


def test_times_are_written_as_kubernetes_does() -> None:
    assert timestamp(0.9) == "1970-01-01T00:00:00Z"
    assert timestamp(NOW) == "2027-01-15T08:00:00Z"


@given(st.integers(0, 4_000_000_000))
def test_times_come_back(moment: int) -> None:
    assert seconds(timestamp(moment)) == moment


@given(all_desired, st.lists(all_desired, max_size=4))
def test_every_type_is_there_and_only_a_status_moves_its_time(
    first: dict[ConditionType, Desired], later: list[dict[ConditionType, Desired]]
) -> None:
    conditions = merged((), first, 1, NOW)
    for step, made in enumerate(later, start=1):
        before = conditions
        conditions = merged(before, made, 1 + step, NOW + step)
        for old, new in zip(before, conditions, strict=True):
            moved = timestamp(NOW + step) if old.status != new.status else old.last_transition_time
            assert new.last_transition_time == moved
            assert (new.status, new.reason, new.message) == _said(made[ConditionType(new.type)])
            assert new.observed_generation == 1 + step

    assert [condition.type for condition in conditions] == list(ConditionType)


def _said(wanted: Desired) -> tuple[str, str, str]:
    return wanted.status, wanted.reason, wanted.message


@given(all_desired)
def test_what_says_the_same_is_the_same_object(desired: dict[ConditionType, Desired]) -> None:
    """Each group has twelve, and a thousand groups are looked at again and again."""
    first = merged([], desired, 1, NOW)
    again = merged(first, desired, 1, NOW + 60)

    assert all(new is old for new, old in zip(again, first, strict=True))
    assert all(condition.observed_generation == 2 for condition in merged(first, desired, 2, NOW))


def test_order_and_foreign_types_of_what_was_written_do_not_matter() -> None:
    made = dict.fromkeys(ConditionType, holds("A"))
    written = merged((), made, 1, NOW)
    alien = Condition(type="Alien", status="True", reason="X", last_transition_time=timestamp(NOW))

    assert merged([alien, *reversed(written)], made, 1, NOW + 5) == written


def test_a_long_message_is_cut_because_several_conditions_repeat_it() -> None:
    made = dict.fromkeys(ConditionType, fails("A", "x" * 40_000))

    assert {condition.message for condition in merged((), made, 1, NOW)} == {"x" * 1_023 + "…"}


def test_what_was_never_written_is_not_true() -> None:
    assert find(TaskGroupStatus(), ConditionType.COMPLETE) is None
    assert not is_true(TaskGroupStatus(), ConditionType.COMPLETE)


def test_what_hinders_the_operator_is_said_by_ready_alone() -> None:
    before = merged((), dict.fromkeys(ConditionType, holds("A")), 1, NOW)

    conditions = with_hindrance(before, "Give the operator its role back.", 2, NOW + 5)

    changed = [new for old, new in zip(before, conditions, strict=True) if new != old]
    assert [(new.type, new.status, new.reason) for new in changed] == [
        (ConditionType.READY, "False", Reason.OPERATOR_HINDERED)
    ]
    assert (changed[0].message, changed[0].observed_generation) == ("Give the operator its role back.", 2)
    (first,) = with_hindrance((), "No condition was written yet.", 2, NOW)
    assert (first.type, first.reason) == (ConditionType.READY, Reason.OPERATOR_HINDERED)
