"""Warnings appear where something will be regretted, say the remedy, and go when it is taken."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NAME, NONCE, NOW, after, chain_spec, look, observed, queue, running, spec, view
from support.compiled import compile_work
from taskgroup.api.names import EventReason
from taskgroup.core.groups.advice import APPLY_BYTES, OBJECT_BYTES, AdviceReason, advise, advise_on_size
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.units import Units

CALM: dict[str, Any] = {"activeDeadlineSeconds": 600}
TEN_DAYS = 864_000
STEPS = [{"task": "shop.read", "args": ["$(item)"]}, {"task": "shop.write"}]


def template(args: list[Any] | None = None, **options: Any) -> dict[str, Any]:
    return {"task": "shop.send", "args": ["$(item)"] if args is None else args, "options": options}


def reasons(count: int = 10, **fields: Any) -> set[str]:
    asked = spec(count, **CALM | {"template": template(timeLimitSeconds=30)} | fields)
    return {str(advice.reason) for advice in advise(asked, compile_work(asked, "a"))}


def test_a_careful_spec_gets_no_warning() -> None:
    assert reasons() == set()


@pytest.mark.parametrize(
    ("reason", "careless", "better"),
    [
        ("NoDeadline", {"activeDeadlineSeconds": None}, {"activeDeadlineSeconds": 1}),
        ("DeadlineTooShort", {"activeDeadlineSeconds": 29}, {"activeDeadlineSeconds": 30}),
        (
            "NoHardLimit",
            {"template": template(softTimeLimitSeconds=5)},
            {"template": template(softTimeLimitSeconds=5, timeLimitSeconds=6)},
        ),
        ("NoTimeLimit", {"template": template()}, {"template": template(timeLimitSeconds=6)}),
        ("NoTimeLimit", {"template": template()}, {"workers": {"terminationGracePeriodSeconds": 90}}),
        (
            "LimitTooLong",
            {"template": template(timeLimitSeconds=7_171)},
            {"template": template(timeLimitSeconds=7_170)},
        ),
        ("SlotsIdle", {"parallelism": 9}, {"parallelism": 10}),
        ("SlotsIdle", {"parallelism": 9}, {"parallelism": 9, "workers": {"maxReplicas": 2}}),
        ("ItemsAlike", {"count": 10_000, "template": template([])}, {"count": 10_000}),
        (
            "ManyMessages",
            {"count": 10_000},
            {"count": 10_000, "chunkSize": 2, "template": template(["$(items)"], timeLimitSeconds=30)},
        ),
        ("ItemsAlike", {"count": 10_000, "template": template([])}, {"count": 9_999, "template": template([])}),
        (
            "ManyMessages",
            {"count": 5_000, "template": {"chain": STEPS}},
            {"count": 4_999, "template": {"chain": STEPS}},
        ),
    ],
)
def test_a_careless_spec_gets_a_warning_until_it_is_better(
    reason: str, careless: dict[str, Any], better: dict[str, Any]
) -> None:
    assert reason in reasons(**careless)
    assert reason not in reasons(**better)


def test_a_limit_beyond_the_visibility_timeout_is_named_whatever_the_grace_period_is() -> None:
    workers = {"terminationGracePeriodSeconds": 86_400}

    assert "LimitTooLong" in reasons(template=template(timeLimitSeconds=2_592_001), workers=workers)
    assert "LimitTooLong" not in reasons(template=template(timeLimitSeconds=TEN_DAYS), workers=workers)


def test_the_tasks_of_chains_are_looked_at() -> None:
    asked = chain_spec(3)

    found = advise(asked, compile_work(asked, "a"))

    assert [advice for advice in found if "shop.step" in advice.message]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (APPLY_BYTES, None),
        (APPLY_BYTES + 1, AdviceReason.NEEDS_SERVER_SIDE_APPLY),
        (OBJECT_BYTES, AdviceReason.NEEDS_SERVER_SIDE_APPLY),
        (OBJECT_BYTES + 1, AdviceReason.OBJECT_TOO_LARGE),
    ],
)
def test_a_large_object_needs_another_command_or_another_place(size: int, reason: AdviceReason | None) -> None:
    assert [advice.reason for advice in advise_on_size(size)] == ([reason] if reason else [])


def test_the_start_of_a_group_tells_what_its_owner_may_regret() -> None:
    wanted = spec(
        active_deadline_seconds=5,
        template={"task": "a", "args": ["$(item)"], "options": {"timeLimitSeconds": 10}},
    )
    started = look(observed(wanted, queue=queue(nonce=None)))
    [event] = started.extra_events

    assert (event.reason, event.warning) == (EventReason.ADVICE, True)
    assert event.message.startswith("DeadlineTooShort: activeDeadlineSeconds (5) is shorter than the longest")
    assert not look(observed(spec(), queue=queue(nonce=None))).extra_events, "without a deadline as most are"


def test_items_that_were_found_are_warned_of_once() -> None:
    wanted = spec(
        before={"task": "shop.list"},
        itemsFrom={"before": {}},
        template=template(timeLimitSeconds=10),
        activeDeadlineSeconds=5,
    )
    ran = Units([stage_unit(Stage.BEFORE)])
    books = Ledger(nonce=NONCE, running_since=NOW, released=ran, passed=ran)
    work = compile_work(wanted, NAME, before=list(range(10_000)))
    seen = replace(running(wanted, books, view=view(1)), work=work)
    plan = look(seen)

    assert [event.message.partition(":")[0] for event in plan.extra_events] == ["ManyMessages"]
    assert plan.transition
    assert not look(after(seen, plan)).extra_events
