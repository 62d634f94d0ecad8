"""The bars that count events, asked of promtool: a scrape that fails is no event, and no event is lost."""

import subprocess
from pathlib import Path

import pytest
import yaml
from dashboards.promql import happened, happened_in_range

from taskgroup.serve.metrics.operator_metrics import LEASE_TRANSITIONS

STEP = "2s"
JOB = 'job="operator"'
CASES = {
    "counted while it was watched": ("1x5", "0 0 0 1 1 1", [0, 0, 0, 1, 1, 0]),
    "a new process beside one that is watched": ("1x5", "_ _ _ 1 1 1", [None, None, None, 1, 1, 0]),
    "from before Prometheus came": ("_ _ 1 1 1 1", "_ _ 3 3 3 3", [None, None, 0, 0, 0, 0]),
    "a scrape that fails": ("1 1 1 0 1 1", "3 3 3 stale 3 3", [0, 0, 0, None, 0, 0]),
    "the first scrape fails": ("0 0 0 1 1 1", "_ _ _ 3 3 3", [None, None, None, 0, 0, 0]),
    "a process that begins anew": ("1x5", "3 3 3 1 1 2", [0, 0, 0, 0, 0, 1]),
}
"""What `up` says each second, what the counter says, and what the bar shows at each second."""


@pytest.mark.parametrize(("up", "counter", "shown"), CASES.values(), ids=CASES)
def test_a_bar_shows_what_was_counted_in_its_step(
    tmp_path: Path, up: str, counter: str, shown: list[int | None]
) -> None:
    expression = happened(LEASE_TRANSITIONS, JOB, by=("instance",)).replace("$__interval", STEP)

    _try(tmp_path, up, counter, expression, shown)


def test_a_failed_scrape_at_the_begin_of_the_time_shown_counts_nothing_twice(tmp_path: Path) -> None:
    expression = happened_in_range(LEASE_TRANSITIONS, JOB, by=("instance",)).replace("$__range", "3s")

    _try(tmp_path, "1 1 0 1 1 1", "3 3 stale 3 3 4", expression, [3, 3, 3, 0, 0, 1])


def _try(folder: Path, up: str, counter: str, expression: str, shown: list[int | None]) -> None:
    series = {"up": up, LEASE_TRANSITIONS.name: counter}
    labels = f'{{{JOB}, instance="a"}}'
    steps = [
        {"expr": expression, "eval_time": f"{second}s", "exp_samples": _samples(value)}
        for second, value in enumerate(shown)
    ]
    case = {
        "interval": "1s",
        "input_series": [{"series": name + labels, "values": values} for name, values in series.items()],
        "promql_expr_test": steps,
    }
    (folder / "case.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1s", "tests": [case]}))
    process = subprocess.run(
        ["promtool", "test", "rules", folder / "case.yaml"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr


def _samples(value: int | None) -> list[dict[str, object]]:
    return [] if value is None else [{"labels": '{instance="a"}', "value": value}]
