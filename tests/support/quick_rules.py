"""The chart's own rule files with each minute turned into a second: their alerts fire while a test looks on.

Expressions and thresholds stay as they are. The alerts with a threshold in seconds stay as slow as they are, too.
"""

import re
from pathlib import Path

import yaml

from support.rules import RULE_FILES

EVALUATION_SECONDS = 1
_MINUTES = re.compile(r"\b(\d+)m\b")


def quick_rules(folder: Path, operators: dict[str, int]) -> tuple[Path, ...]:
    """The files, beside one that says how many operators each namespace should have, as the chart's own rule does."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {path.name: _MINUTES.sub(r"\1s", path.read_text()) for path in RULE_FILES}
    texts["wanted.yaml"] = yaml.safe_dump({"groups": [{"name": "wanted", "rules": _wanted(operators)}]})
    for name, text in texts.items():
        (folder / name).write_text(text)
    return tuple(folder / name for name in sorted(texts))


def _wanted(operators: dict[str, int]) -> list[dict[str, object]]:
    return [
        {"record": "namespace:taskgroup_operators:wanted", "expr": f"vector({count})", "labels": {"namespace": name}}
        for name, count in operators.items()
    ]


def firing(alert: str, **labels: str) -> str:
    """The series that Prometheus has of an alert while it fires."""
    wanted = {"alertname": alert, "alertstate": "firing", **labels}
    matchers = ", ".join(f'{name}="{value}"' for name, value in wanted.items())
    return f"ALERTS{{{matchers}}}"
