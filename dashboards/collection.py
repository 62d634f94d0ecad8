"""All dashboards of the operator, and the files that they are generated into."""

from pathlib import Path

from dashboards.view import View, as_json
from dashboards.views import all_groups, embedded_redis, operator_process, pools_of_workers, single_group

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "charts/taskgroup-operator/files/dashboards"


def views() -> tuple[View, ...]:
    """Built anew: what they are made of can be built once only."""
    modules = (all_groups, single_group, pools_of_workers, operator_process, embedded_redis)
    return tuple(module.view() for module in modules)


def rendered() -> dict[Path, str]:
    """Every generated file and its text."""
    return {FOLDER / f"{view.name}.json": as_json(view) for view in views()}
