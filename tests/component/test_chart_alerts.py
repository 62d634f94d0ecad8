"""What the chart makes of the rule files: one PrometheusRule, with Prometheus' own templates as they were."""

from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import yaml

from support.helm import FULLNAME, NAMESPACE, HelmError, Manifest, of_kind, one, render
from support.rules import RULE_FILES

Rules = list[dict[str, Any]]
FILED: Rules = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]


def rendered(replicas: int = 1, **values: Any) -> Manifest:
    return one(
        render({"replicaCount": replicas, "prometheusRule": {"enabled": True, **values}}), "PrometheusRule", FULLNAME
    )


def alerts(groups: Rules) -> dict[str, Any]:
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_there_are_no_rules_unless_somebody_asks() -> None:
    assert not of_kind(render(), "PrometheusRule")


def test_the_rules_are_those_of_the_files_and_prometheus_reads_them(tmp_path: Path) -> None:
    spec = rendered()["spec"]
    assert spec["groups"][1:] == FILED
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    process = run(["promtool", "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("replicas", [1, 3])
def test_how_many_operators_there_should_be_is_recorded(replicas: int) -> None:
    (rule,) = rendered(replicas)["spec"]["groups"][0]["rules"]
    assert rule == {
        "record": "namespace:taskgroup_operators:wanted",
        "expr": f"vector({replicas})",
        "labels": {"namespace": NAMESPACE},
    }


def test_values_say_where_the_rules_are_and_who_selects_them() -> None:
    metadata = rendered(namespace="monitoring", labels={"release": "kps"}, annotations={"note": "x"})["metadata"]
    assert (metadata["namespace"], metadata["annotations"]) == ("monitoring", {"note": "x"})
    assert metadata["labels"].items() >= {"release": "kps", "app.kubernetes.io/instance": "demo"}.items()


def test_runbooks_are_where_the_values_say() -> None:
    pages = {
        name: alert["annotations"].pop("runbook_url")
        for name, alert in alerts(
            rendered(runbookBaseUrl="https://git.example.com/runbooks/")["spec"]["groups"]
        ).items()
    }
    assert pages == {name: f"https://git.example.com/runbooks/{name}.md" for name in alerts(FILED)}


def test_an_alert_that_is_disabled_is_left_out_and_the_others_stay() -> None:
    left = alerts(rendered(disabled=["TaskGroupStalled", "TaskGroupFailed"])["spec"]["groups"])
    assert alerts(FILED).keys() - left.keys() == {"TaskGroupStalled", "TaskGroupFailed"}


def test_disabling_an_alert_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(HelmError) as refusal:
        rendered(disabled=["TaskGroupStaled"])
    assert "prometheusRule.disabled names TaskGroupStaled, and there is no such alert" in str(refusal.value)
