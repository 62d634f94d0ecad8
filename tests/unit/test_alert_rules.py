"""Each alert fires and is silent when it should, and no rule names a series or a label that nobody serves."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from support.promql import grouping_labels, selectors
from support.rules import ALERTS, ROOT, RULE_FILES, RULE_TESTS, RULES, Rule
from support.served_series import CATALOGUE, SERVED
from taskgroup.serve.metrics.group_metrics import GROUP_LABELS

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
each_alert = pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)


def _promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_cases_say(path: Path) -> None:
    process = _promtool("test", "rules", path)
    assert process.returncode == 0, process.stdout + process.stderr


def test_prometheus_reads_the_files_as_they_stand() -> None:
    process = _promtool("check", "rules", *RULE_FILES)
    assert process.returncode == 0, process.stdout + process.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    cases = defaultdict(set)
    for path in RULE_TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for step in case.get("alert_rule_test", []):
                cases[step["alertname"]].add(bool(step["exp_alerts"]))
    assert cases == {name: {True, False} for name in ALERTS}


def test_every_recorded_series_has_a_case() -> None:
    text = (ROOT / "tests/rules/recording.yaml").read_text()
    tried = {step["expr"] for case in yaml.safe_load(text)["tests"] for step in case["promql_expr_test"]}
    assert tried == {rule.name for rule in RULES if not rule.is_alert}


@each_rule
def test_every_series_is_served_with_the_labels_that_are_asked_of_it(rule: Rule) -> None:
    found = selectors(rule.expression)
    assert found
    assert {selector.series for selector in found} - SERVED.keys() == set()
    wrong = {selector.series: selector.matchers.keys() - SERVED[selector.series] for selector in found}
    assert {series: labels for series, labels in wrong.items() if labels} == {}
    assert grouping_labels(rule.expression) <= set[str]().union(*(SERVED[selector.series] for selector in found))


@each_rule
def test_every_value_that_a_label_is_compared_with_is_one_that_the_metric_tells_of(rule: Rule) -> None:
    for selector in selectors(rule.expression):
        for label in selector.matchers.keys() - {"namespace", "code"}:
            _, text, _ = selector.matchers[label].split('"')
            for value in text.split("|"):
                assert re.search(rf"\b{value}\b", CATALOGUE[selector.series].help)


@each_alert
def test_an_alert_about_a_group_leaves_out_the_sum_of_those_without_series(rule: Rule) -> None:
    for selector in selectors(rule.expression):
        metric = CATALOGUE.get(selector.series)
        if metric and set(GROUP_LABELS) <= set(metric.labels):
            assert selector.matchers["namespace"] == '!=""'


@each_alert
def test_an_alert_says_how_bad_it_is_what_happens_and_what_to_do(rule: Rule) -> None:
    assert rule.name.startswith("TaskGroup")
    assert rule.labels in ({"severity": "critical"}, {"severity": "warning"})
    assert rule.annotations.keys() == {"summary", "description", "runbook_url"}
    assert "$labels.namespace" in rule.annotations["description"]
