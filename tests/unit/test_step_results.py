"""The results of earlier steps in messages: what fits into none ends its item, and no other."""

from typing import Any

import pytest

from support.builders import chain_spec, work
from support.memory.results import MemoryResults
from support.world import UID
from taskgroup.api.names import Reason
from taskgroup.broker.port import Route
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units, unit_of
from taskgroup.groups.messages import Messages
from taskgroup.groups.step_results import EXPIRED, NESTED, Part, StepResults

WORK = work(chain_spec(2, 10))
STEPS = Units(unit_of(index, 1) for index in range(4))


def nested(levels: int) -> list[Any]:
    """A list in a list, and so on."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def step_results(*stored: int) -> StepResults:
    """A backend with the results of the first steps of these items."""
    results = MemoryResults()
    for index in stored:
        results.store(task_id(UID, index), None)
    return StepResults(results, UID, WORK, Ledger(total=10, steps=2))


async def parts(results: StepResults) -> list[Part]:
    return [part async for part in results.parts(STEPS)]


async def test_each_step_is_sent_with_its_own_result_and_named_after_its_parent() -> None:
    results = step_results(0, 1, 2, 3)
    [part] = await parts(results)

    assert part.units == STEPS
    assert part.results == {step: [None] for step in STEPS}
    assert [results.parent(unit) for unit in STEPS] == [task_id(UID, index) for index in range(4)]


async def test_a_result_that_is_gone_ends_its_item_alone() -> None:
    gone, there = await parts(step_results(0, 2, 3))

    assert dict(gone.unsendable) == {unit_of(1, 1): EXPIRED}
    assert there.units == STEPS - Units([unit_of(1, 1)])


@pytest.mark.parametrize(("value", "size"), [("x" * 2_000, 3_000), (nested(992), None)], ids=["long", "nested"])
def test_a_result_that_fits_into_no_message_leaves_the_others_alone(value: object, size: int | None) -> None:
    small = work(chain_spec(2, 10))
    small.most_message_bytes = 2_500
    messages = Messages(RedisBroker("redis://127.0.0.1:1/0").groups, Route(UID, UID), small)
    first, *others = STEPS
    values = {step: [value if step == first else "small"] for step in STEPS}
    sent = [unit for part in messages.slices(STEPS, {}, step_results(), values) for unit, _, _ in part]

    assert sent == others
    assert messages.left_out.keys() == {first}
    told = messages.left_out[first]
    assert (told is None) == (size is None)
    failure = step_results().unfit(first, told)
    assert failure.reason == Reason.RESULT_TOO_LARGE
    assert (failure is NESTED) == (size is None)
