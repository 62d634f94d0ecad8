"""What Prometheus reads of a running operator: the numbers of the statuses, and nothing that a tenant wrote."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.scrape import Series, exposition, scrape, value
from support.task_groups import Bench, running_bench
from support.wait import eventually
from taskgroup.serve.metrics import group_metrics, operator_metrics
from taskgroup.serve.metrics.definitions import Metric

FAIL = {"task": "demo.fail", "args": ["a secret in a message"]}
NOTE = {"task": "demo.note", "args": ["an argument"]}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An operator after a group of three items, of which one failed."""
    with running_bench(tmp_path_factory.mktemp("metrics")) as bench:
        with bench.worker(bench.apply("mixed", tasks=[NOTE, FAIL, NOTE])):
            bench.finished("mixed")
        yield bench


def of(bench: Bench, name: str, **labels: str) -> float | None:
    return value(scrape(bench.operator), name, namespace=bench.kubectl.namespace, taskgroup="mixed", **labels)


def test_a_group_shows_what_its_status_says(bench: Bench) -> None:
    status: dict[str, Any] = bench.group("mixed")["status"]
    eventually(lambda: of(bench, "state", state="Failed") == 1, state=lambda: exposition(bench.operator)[1])

    for state in ("pending", "active", "succeeded", "failed", "cancelled"):
        assert of(bench, "items", state=state) == status[state]
    assert of(bench, "items_ended_total", outcome="succeeded") == 2
    assert of(bench, "item_failures_total", reason="ValueError") == 1
    assert of(bench, "items_dispatched_total") == 3
    assert of(bench, "item_duration_seconds_count") == 3
    assert of(bench, "condition", condition="BackendReachable", reason="Reachable") == 1


def test_the_operator_shows_its_own_work(bench: Bench) -> None:
    series = scrape(bench.operator)

    assert value(series, "leader") == 1
    assert value(series, "groups", namespace=bench.kubectl.namespace, state="Failed") == 1
    assert value(series, "groups_finished_total", namespace=bench.kubectl.namespace, outcome="Failed") == 1
    assert value(series, "groups_finished_total", namespace=bench.kubectl.namespace, outcome="Complete") == 0
    assert value(series, "reconcile_total", controller="taskgroup", result="success")
    assert value(series, "reconcile_errors_total", controller="taskgroup", kind="bug") == 0
    assert value(series, "api_requests_total", verb="patch", resource="taskgroups/status", code="200")
    assert value(series, "ledger_saves_total", result="success")
    assert value(series, "dispatch_batches_total")
    assert value(series, "sweep_ended_items_total") == 3
    assert value(series, "redis_round_trip_seconds_count")
    assert value(series, "redis_servers_unreachable") == 0
    assert series[("process_resident_memory_bytes", frozenset())] > 0


def test_each_metric_that_is_named_is_told_and_no_other(bench: Bench) -> None:
    """A name in a dashboard or an alert that nobody tells is empty for ever."""
    named = {
        metric.name: metric
        for module in (group_metrics, operator_metrics)
        for metric in vars(module).values()
        if isinstance(metric, Metric)
    }
    text = exposition(bench.operator)[1]
    told = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE taskgroup_")}
    assert told == {name: metric.kind.value for name, metric in named.items()}

    for series, labels in scrape(bench.operator):
        name = series.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if name in named:
            assert {label for label, _ in labels} - {"le"} == set(named[name].labels), name


def test_nothing_that_a_tenant_wrote_is_in_a_label(bench: Bench) -> None:
    text = exposition(bench.operator)[1]

    for written in ("in a message", "argument", "demo.fail", "demo.note"):
        assert written not in text


def test_openmetrics_is_told_to_who_asks_for_it(bench: Bench) -> None:
    kind, text = exposition(bench.operator, "application/openmetrics-text; version=1.0.0")

    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert " # {" not in text, "no sample has an exemplar"
    assert exposition(bench.operator)[0].startswith("text/plain")


def test_a_deleted_group_leaves_no_series(bench: Bench) -> None:
    bench.apply("short", tasks=[NOTE], suspend=True)
    bench.until("short", lambda status: status.get("state") == "Suspended")
    eventually(lambda: "short" in groups(scrape(bench.operator)))

    bench.clear()

    eventually(lambda: "short" not in groups(scrape(bench.operator)))


def groups(series: Series) -> set[str]:
    return {dict(labels)["taskgroup"] for name, labels in series if name == "taskgroup_state"}
