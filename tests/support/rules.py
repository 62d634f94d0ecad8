"""The chart's Prometheus rules as data, for tests of what they say and for tests of what is written about them."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "charts/taskgroup-operator/files/rules").glob("*.yaml"))
RULE_TESTS = sorted((ROOT / "tests/rules").glob("*.yaml"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert or one recorded series."""

    name: str
    expression: str
    is_alert: bool
    labels: dict[str, str]
    annotations: dict[str, str]


def _rule(found: dict[str, Any]) -> Rule:
    name = found.get("alert") or found["record"]
    return Rule(name, found["expr"], "alert" in found, found.get("labels", {}), found.get("annotations", {}))


def _all(path: Path) -> list[Rule]:
    return [_rule(found) for group in yaml.safe_load(path.read_text())["groups"] for found in group["rules"]]


RULES = list(chain.from_iterable(_all(path) for path in RULE_FILES))
ALERTS = {rule.name: rule for rule in RULES if rule.is_alert}
