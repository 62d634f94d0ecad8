"""The series of single groups: which there are, what they show, and that their number is bounded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pyroaring import FrozenBitMap

from support.builders import NOW, chain_spec, finished, ledger, look, queue, running, spec, view
from taskgroup.core.groups.figures import GroupFigures, figures_of
from taskgroup.core.groups.observed import Observed
from taskgroup.core.indexes import full
from taskgroup.core.meta import Meta
from taskgroup.core.units import unit_of, units_of
from taskgroup.loops.metrics import Move
from taskgroup.serve.metrics import group_metrics, operator_metrics
from taskgroup.serve.metrics.definitions import Kind, Metric
from taskgroup.serve.metrics.group_entry import MAX_REASONS
from taskgroup.serve.metrics.group_series import IDLE_SECONDS, GroupSeries

KEEP_SECONDS = 600


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def series(clock: Time) -> GroupSeries:
    return GroupSeries(KEEP_SECONDS, max_groups=2, clock=clock)


def meta(name: str) -> Meta:
    return Meta(uid=f"uid-{name}", name=name, namespace="shop", generation=1, finalized=True, deleting=False)


def figures(seen: Observed) -> GroupFigures:
    return figures_of(seen, look(seen), None, NOW)


def going(succeeded: int = 3) -> GroupFigures:
    return figures(running(ledger=ledger(10, dispatched=8, succeeded=full(succeeded)), queue=queue(4, 1), view=view(2)))


def over() -> GroupFigures:
    return figures(finished(running(ledger=ledger(10, dispatched=10, succeeded=full(10)))))


def scraped(series: GroupSeries) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    registry = CollectorRegistry()
    registry.register(series)
    told: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            told.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return told


def value(series: GroupSeries, name: str, group: str = "squares", **labels: str) -> float | None:
    namespace = "" if group == "other" else "shop"
    wanted = frozenset({"namespace": namespace, "taskgroup": group, **labels}.items())
    return scraped(series).get(f"taskgroup_{name}", {}).get(wanted)


def groups(series: GroupSeries) -> set[str]:
    return {dict(labels)["taskgroup"] for labels in scraped(series).get("taskgroup_items", {})}


def test_a_group_shows_the_counts_of_its_status(series: GroupSeries) -> None:
    shown = going()
    series.show(meta("squares"), shown)

    by_state = {state: value(series, "items", state=state) for state in ("pending", "active", "succeeded", "failed")}
    assert by_state == {"pending": 2, "active": 5, "succeeded": 3, "failed": 0}
    assert value(series, "items_ended_total", outcome="succeeded") == shown.succeeded
    assert value(series, "state", state="Running") == 1
    assert value(series, "queued_items") == 4
    assert value(series, "held_items") == 1
    assert value(series, "start_timestamp_seconds") == pytest.approx(NOW, abs=3600)
    assert value(series, "completion_timestamp_seconds") is None


def test_what_runs_once_for_the_group_has_a_series_with_its_state(series: GroupSeries) -> None:
    series.show(meta("squares"), replace(going(), stages=(("before", "Succeeded"), ("callback", "Pending"))))

    assert value(series, "stage", stage="before", state="Succeeded") == 1
    assert value(series, "stage", stage="callback", state="Pending") == 1
    assert len(scraped(series)["taskgroup_stage"]) == 2


def test_a_group_of_chains_shows_how_many_items_are_past_each_step_but_the_last(series: GroupSeries) -> None:
    passed = units_of(full(7), 1) | FrozenBitMap(unit_of(index, 1) for index in (0, 3))
    books = replace(ledger(10, dispatched=8), steps=3, passed=passed)
    series.show(meta("squares"), figures(running(chain_spec(3), ledger=books, queue=queue(4, 1), view=view(2))))

    assert value(series, "items_past_step", step="0") == 7
    assert value(series, "items_past_step", step="1") == 2
    assert len(scraped(series)["taskgroup_items_past_step"]) == 2

    series.show(meta("squares"), going())
    assert "taskgroup_items_past_step" not in scraped(series), "its items are no chains"


@pytest.mark.parametrize(("limit", "shown"), [("4/s", 4), ("90/m", 1.5), ("9/h", 0.0025), (None, None)])
def test_the_rate_limit_is_shown_in_starts_a_second(
    series: GroupSeries, limit: str | None, shown: float | None
) -> None:
    seen = running(spec(rateLimit=limit), ledger=ledger(10, dispatched=8), queue=queue(4, 1), view=view(2))
    series.show(meta("squares"), figures(seen))

    assert value(series, "rate_limit_per_second") == shown


def test_what_was_moved_and_how_long_it_took_is_counted(series: GroupSeries) -> None:
    series.show(meta("squares"), going())
    series.moved(meta("squares"), Move.DISPATCHED, 8)
    series.moved(meta("squares"), Move.MISSING, 2)
    series.ended(meta("squares"), 3, 1.5)
    series.ended(meta("squares"), 1, 100_000)

    assert value(series, "items_dispatched_total") == 8
    assert value(series, "items_missing_total") == 2
    assert value(series, "items_redispatched_total") == 0
    assert value(series, "item_duration_seconds_bucket", le="0.5") == 0
    assert value(series, "item_duration_seconds_bucket", le="2.0") == 3
    assert value(series, "item_duration_seconds_bucket", le="+Inf") == 4
    assert value(series, "item_duration_seconds_sum") == 100_004.5


def test_a_tenant_cannot_make_series_without_end_by_names_of_exceptions(series: GroupSeries) -> None:
    names = [f"Error{number}" for number in range(50)]
    series.show(meta("squares"), replace(going(), failures=dict.fromkeys(names, 2)))
    before = scraped(series)["taskgroup_item_failures_total"]
    assert len(before) == MAX_REASONS + 1
    assert value(series, "item_failures_total", reason="other") == 80

    turned = dict.fromkeys(reversed(names), 3)
    series.show(meta("squares"), replace(going(), failures=turned))
    assert scraped(series)["taskgroup_item_failures_total"].keys() == before.keys(), "a counter went away"


def test_series_stay_a_while_after_the_end(series: GroupSeries, clock: Time) -> None:
    series.show(meta("squares"), over())
    clock.now += KEEP_SECONDS - 1
    assert value(series, "state", state="Complete") == 1
    assert value(series, "completion_timestamp_seconds")

    clock.now += 2
    assert groups(series) == set()
    assert series.count == 0


def test_a_group_that_goes_on_keeps_its_series_however_long_nothing_happens(series: GroupSeries, clock: Time) -> None:
    series.show(meta("squares"), going())
    clock.now += 100 * KEEP_SECONDS

    assert groups(series) == {"squares"}


def test_figures_beside_a_status_that_stands_are_no_change_of_the_group(series: GroupSeries, clock: Time) -> None:
    """Else a group that hangs would keep its series from those that go on."""
    series.show(meta("a"), going())
    series.show(meta("b"), going())
    clock.now += IDLE_SECONDS + 1
    series.refresh(meta("a"), replace(going(), held=7))
    assert value(series, "held_items", "a") == 7

    series.show(meta("c"), going())
    series.refresh(meta("a"), replace(going(), held=8))
    assert groups(series) == {"b", "c", "other"}
    assert value(series, "held_items", "other") == 8

    series.forget("uid-a")
    series.refresh(meta("a"), going())
    assert groups(series) == {"b", "c"}


def test_the_age_of_the_oldest_item_is_that_of_the_moment_of_the_scrape(series: GroupSeries, clock: Time) -> None:
    series.show(meta("squares"), replace(going(), oldest=clock.now - 5))
    clock.now += 1000

    assert value(series, "oldest_active_seconds") == 1005
    series.show(meta("squares"), going())
    assert value(series, "oldest_active_seconds") == 0


def test_a_deleted_group_has_none(series: GroupSeries) -> None:
    series.show(meta("squares"), going())
    series.forget("uid-squares")

    assert scraped(series) == {}


def test_more_groups_than_have_room_are_added_up(series: GroupSeries) -> None:
    for name in ("a", "b", "c", "d"):
        series.show(meta(name), going())

    assert groups(series) == {"a", "b", "other"}
    assert value(series, "items", "other", state="active") == 10
    assert value(series, "queued_items", "other") == 8
    assert value(series, "state", "other", state="Running") is None
    assert (series.count, series.hidden_count) == (2, 2)


def test_a_busy_group_takes_the_series_of_an_idle_or_ended_one(series: GroupSeries, clock: Time) -> None:
    series.show(meta("ended"), over())
    series.show(meta("busy"), going())
    series.show(meta("new"), going())
    assert groups(series) == {"busy", "new", "other"}

    clock.now += IDLE_SECONDS + 1
    series.show(meta("new"), going())
    series.show(meta("newer"), going())
    assert groups(series) == {"new", "newer", "other"}


def ends(series: GroupSeries) -> Iterator[tuple[str, float]]:
    for labels, count in scraped(series).get("taskgroup_items_ended_total", {}).items():
        if dict(labels)["outcome"] == "succeeded":
            yield dict(labels)["taskgroup"], count


def test_no_rate_sees_a_group_come_or_go(series: GroupSeries, clock: Time) -> None:
    """A counter that jumps when a group joins or leaves `other` would look as if its items had ended just then."""
    series.show(meta("a"), going(3))
    series.show(meta("b"), going(3))
    clock.now += IDLE_SECONDS + 1
    series.show(meta("b"), going(3))
    series.show(meta("c"), going(3))
    assert dict(ends(series)) == {"b": 3, "c": 3, "other": 0}, "a gave its series to c, with the three that had ended"

    series.show(meta("a"), going(5))
    assert dict(ends(series))["other"] == 2, "what ends now is counted"
    series.forget("uid-b")
    series.show(meta("a"), going(6))
    assert dict(ends(series)) == {"a": 6, "c": 3, "other": 2}, "what was counted stays counted"


def test_counters_and_they_alone_end_in_total() -> None:
    metrics = [one for module in (group_metrics, operator_metrics) for one in vars(module).values()]
    named = [one for one in metrics if isinstance(one, Metric)]
    assert named
    assert [one.name for one in named if one.name.endswith("_total") != (one.kind is Kind.COUNTER)] == []
