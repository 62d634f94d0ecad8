"""The dashboards on the data of a real Prometheus that has watched groups live: each panel answers, and truly.

With DASHBOARDS_OUTPUT the data stays in that folder, and pictures can be drawn from it: `make dashboards`.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboards.queries import choices, marks
from dashboards.substitution import Window

from support.boards import DASHBOARDS, Board, board, histories
from support.chart_targets import operator_targets, redis_target
from support.dashboard_story import Story, keep
from support.groups import condition
from support.kube import EVENTS, Kube
from support.prometheus_server import SCRAPE_SECONDS, prometheus_server
from support.quick_rules import firing, quick_rules
from support.space import Space, chart_redis, new_space

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

GROUPS = ("archive", "catalogue", "documents", "exports", "invoices", "newsletters", "orders", "reports", "thumbnails")
COUNTS = ("pending", "active", "retrying", "succeeded", "failed", "cancelled")
Seen = dict[tuple[str, str, str], list[float]]
"""Dashboard, panel and letter of a query to its values."""
ALWAYS_ZERO = {
    ("operator", "Bugs", "A"): "the operator has none that this story meets",
    ("operator", "Groups with series of their own", "B"): "there are far fewer groups than metrics.maxGroups",
    ("operator", "Lease transitions", "A"): "one operator leads all the time",
    ("redis", "Evictions", "A"): "the policy is noeviction",
    ("redis", "Keys removed", "A"): "no result is old enough to expire",
    ("redis", "Keys removed", "B"): "the policy is noeviction",
    ("redis", "Refused clients", "A"): "there are far fewer clients than maxclients",
    ("taskgroup", "Items that went wrong on the way", "D"): "no item dies often enough to be given up",
}
"""Dashboard, panel and letter of the queries that must show 0 all the time, and why."""
MAYBE_ZERO = {
    ("operator", "Looks that failed, per second", "A"): "only a look at the very moment in which Redis hangs fails",
    ("operator", "What waits for a turn", "A"): "only a burst of requests waits",
    ("operator", "What waits for a turn", "B"): "these few groups write less than writesPerSecond",
    ("operator", "What waits for a turn", "C"): "these few groups write less than writesPerSecond",
    ("taskgroup", "Items that went wrong on the way", "A"): "nothing is sent again unless a message is lost",
    ("taskgroup", "Items that went wrong on the way", "B"): "no message is lost unless Redis hangs at that very moment",
    ("taskgroup", "Items that went wrong on the way", "C"): "no loss is counted when Redis is slow as the worker dies",
    ("taskgroup", "Items that went wrong on the way", "E"): "no worker needs to give up as long as Redis comes back",
    ("workers", "Idle pod hours", "A"): "it looks once a minute, and the story is short",
}
"""Those that may, and why."""
OPERATOR = frozenset({""})
FIRED = {
    "TaskGroupFailed": frozenset({"documents", "orders", "thumbnails"}),
    "TaskGroupDeadlineAtRisk": frozenset({"orders"}),
    "TaskGroupStandbyMissing": OPERATOR,
    "TaskGroupRedisUnreachable": OPERATOR,
    "TaskGroupRedisMemoryHigh": OPERATOR,
}
"""Alerts, when a minute of their rules is a second, and the groups that they are about."""
SOME_FIRED = {
    "TaskGroupStalled": "orders",
    "TaskGroupWorkersUnavailable": "reports",
    "TaskGroupBrokerUnreachable": "catalogue",
}
"""Those that fire for others, too, as workers of a few seconds are long in starting, and Redis hangs for all."""
MAY_FIRE = {
    "TaskGroupItemsMissing": "Redis hangs while messages are on their way",
    "TaskGroupReconcileErrors": "within these seconds more than a few looks may fail while Redis hangs",
    "TaskGroupAPIThrottled": "within these seconds a request may wait",
    "TaskGroupEventLoopHeld": "within these seconds the machine may have no time for the operator",
    "TaskGroupOperatorDown": "as TaskGroupEventLoopHeld; a scrape fails after a second",
    "TaskGroupOperatorWithoutLeader": "as TaskGroupOperatorDown",
}


@pytest.fixture(scope="module")
def space(system: Kube) -> Iterator[Space]:
    """One for all tests of this file."""
    with chart_redis(system) as redis, new_space(system, redis, "dashboards", "shop") as space:
        yield space


@pytest.fixture(scope="module")
def story(system: Kube, space: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """It has been told; Prometheus runs."""
    kept = os.environ.get("DASHBOARDS_OUTPUT")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("prometheus")
    rules = quick_rules(folder / "rules", {system.namespace: 2})
    with (
        redis_target(system) as exporter,
        prometheus_server(folder, [*operator_targets(system), exporter], rules=rules) as prometheus,
    ):
        story = Story(system, space, prometheus)
        story.tell()
        keep(folder, story)
        story.come_to_rest()
        yield story


def window(story: Story) -> Window:
    return Window(story.start, story.rest, 2 * SCRAPE_SECONDS)


def of_shop(name: str, story: Story, **wanted: str) -> Board:
    """A dashboard of which this story's namespace is chosen, where there is a choice."""
    return board(name, story.prometheus, window(story), namespace=story.space.kube.namespace, **wanted)


def all_boards(story: Story) -> Iterator[Board]:
    for name in DASHBOARDS:
        for group in GROUPS if name == "taskgroup" else ("",):
            yield of_shop(name, story, **({"taskgroup": group} if group else {}))


@pytest.fixture(scope="module")
def seen(story: Story) -> Seen:
    """Every value that a query had at some time, of whichever group."""
    found: Seen = {}
    for one in all_boards(story):
        for panel, target, series in histories(one):
            values = found.setdefault((one.dashboard.name, panel.title, target.letter), [])
            values += [value for each in series for _, value in each.points if not math.isnan(value)]
    return found


def test_every_query_had_data_at_some_time(seen: Seen) -> None:
    assert [key for key, values in seen.items() if not values] == []


def test_what_must_not_happen_did_not_and_all_else_did(seen: Seen) -> None:
    zero = {key for key, values in seen.items() if values and not any(values)}
    assert sorted(zero - MAYBE_ZERO.keys()) == sorted(ALWAYS_ZERO)
    assert MAYBE_ZERO.keys() <= seen.keys()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_choice_has_values(story: Story, name: str) -> None:
    one = of_shop(name, story)
    offered = {
        variable.name: choices(variable, story.prometheus, one.values)
        for variable in one.dashboard.variables
        if variable.query
    }
    assert all(offered.values()), offered
    if "taskgroup" in offered:
        assert set(offered["taskgroup"]) == set(GROUPS)


@pytest.mark.parametrize("name", GROUPS)
def test_the_dashboard_of_a_group_shows_its_status(story: Story, name: str) -> None:
    status, shown = story.statuses[name], of_shop("taskgroup", story, taskgroup=name)

    assert shown.shows("State") == {status["state"]: 1}
    assert shown.shows("Items by state") == {state: status[state] for state in COUNTS}
    assert shown.figure("Succeeded") == status["succeeded"]
    assert shown.figure("Failed") == status["failed"]
    assert shown.figure("Items") == status["total"]
    assert math.floor(100 * shown.figure("Progress")) == status["percent"]
    assert shown.shows("Failures by reason") == _reasons(status)


@pytest.mark.parametrize("name", GROUPS)
def test_the_pods_of_a_group_are_those_of_its_status(story: Story, name: str) -> None:
    workers, lines = story.statuses[name]["workers"], of_shop("taskgroup", story, taskgroup=name).shows("Workers")

    assert (lines["present"], lines["ready"], lines["busy"]) == (workers["replicas"], workers["ready"], workers["busy"])


def test_the_rates_of_the_overview_add_up_to_the_items_that_ended(story: Story) -> None:
    """A rate is an estimate between two scrapes, so they add up nearly."""
    ended = sum(status[state] for status in story.statuses.values() for state in ("succeeded", "failed", "cancelled"))

    assert of_shop("overview", story).area("Items that end per second") == pytest.approx(ended, rel=0.2)


def test_the_overview_shows_the_sums_of_the_statuses(story: Story) -> None:
    shown, statuses = of_shop("overview", story), story.statuses.values()
    states = Counter(status["state"] for status in statuses)

    assert {state: shown.figure(state) for state in ("Running", "Pending", "Suspended", "Failed")} == {
        state: states[state] for state in ("Running", "Pending", "Suspended", "Failed")
    }
    assert {state: count for state, count in shown.shows("Groups by state").items() if count} == states
    assert shown.figure("Items failed") == sum(status["failed"] for status in statuses)
    assert shown.figure("Items left") == sum(status["pending"] + status["active"] for status in statuses)
    assert shown.shows("Failures by reason") == sum(map(Counter, map(_reasons, statuses)), Counter())


def test_the_tables_have_a_row_for_each_group_that_belongs_there(story: Story) -> None:
    shown, statuses = of_shop("overview", story), story.statuses
    columns = {"Items failed": "failed", "Items succeeded": "succeeded", "Items cancelled": "cancelled"}

    failed = {name: status for name, status in statuses.items() if status["state"] == "Failed"}
    assert {
        name: {column: row[column] for column in columns} for name, row in shown.rows("Groups that failed").items()
    } == {name: {column: status[field] for column, field in columns.items()} for name, status in failed.items()}

    open_ones = shown.rows("Groups that have not ended")
    assert {name: (row["State"], row["Left"]) for name, row in open_ones.items()} == {
        name: (status["state"], status["pending"] + status["active"])
        for name, status in statuses.items()
        if status["state"] not in ("Complete", "Failed")
    }
    assert {name: row["Trouble"] for name, row in open_ones.items() if "Trouble" in row} == {
        "reports": condition(statuses["reports"], "WorkersReady")["reason"]
    }


def test_what_is_counted_over_time_adds_up_to_what_happened(story: Story) -> None:
    overview, pools = of_shop("overview", story), of_shop("workers", story)
    statuses = story.statuses.values()

    outcomes = Counter(status["state"] for status in statuses if status["state"] in ("Complete", "Failed"))
    assert overview.grown("Groups that ended") == outcomes
    restarts = pools.grown("Restarts by group")
    assert restarts[f"{story.space.kube.namespace}/catalogue"] == 1
    assert pools.figure("Restarts") == sum(restarts.values())
    assert pools.figure("Pods started") == sum(pools.grown("Pods that started, by group").values()) == _pods_made(story)


def test_every_start_and_end_of_a_group_is_marked(story: Story) -> None:
    shown, statuses = of_shop("overview", story), story.statuses.values()
    started, ended = (marks(mark, story.prometheus, shown.values) for mark in shown.dashboard.annotations)
    assert len(started) == len({status["startTime"] for status in statuses if "startTime" in status})
    assert len(ended) == len({status["completionTime"] for status in statuses if "completionTime" in status})


@pytest.mark.parametrize(("alert", "groups"), FIRED.items(), ids=FIRED)
def test_an_alert_fired_for_what_it_is_about_and_for_nothing_else(
    story: Story, alert: str, groups: frozenset[str]
) -> None:
    # The groups of other tests are watched, too: examples end as Failed.
    about = {} if groups == OPERATOR else {"namespace": str(story.space.kube.namespace)}
    fired = story.prometheus.over(firing(alert, **about), story.start, story.rest, SCRAPE_SECONDS)
    assert fired, f"{alert} never fired."
    assert {series.labels.get("taskgroup", "") for series in fired} == groups


@pytest.mark.parametrize(("alert", "group"), SOME_FIRED.items(), ids=SOME_FIRED)
def test_an_alert_fired_for_its_group_at_least(story: Story, alert: str, group: str) -> None:
    assert story.prometheus.over(firing(alert, taskgroup=group), story.start, story.rest, SCRAPE_SECONDS)


def test_no_alert_fired_that_nothing_in_the_story_is_a_cause_of(story: Story) -> None:
    fired = story.prometheus.over('ALERTS{alertstate="firing"}', story.start, story.rest, SCRAPE_SECONDS)
    assert {series.labels["alertname"] for series in fired} <= FIRED.keys() | SOME_FIRED.keys() | MAY_FIRE.keys()


def test_the_operator_leads_and_redis_is_back(story: Story) -> None:
    operator, redis = of_shop("operator", story), of_shop("redis", story)
    assert (operator.figure("Leaders"), operator.figure("Processes"), operator.figure("Redis away")) == (1, 1, 0)
    assert redis.figure("Up") == 1


def _reasons(status: dict[str, Any]) -> dict[str, int]:
    return {failure["reason"]: failure["count"] for failure in status.get("failures", ())}


def _pods_made(story: Story) -> int:
    """By ReplicaSets, as they say in events: one for each pod."""
    events = story.space.kube.select(EVENTS)
    return len({event["message"] for event in events if event["reason"] == "SuccessfulCreate"})
