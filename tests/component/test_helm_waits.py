"""A chart of a user's that holds a TaskGroup: `helm --wait` follows it to its end, and tells what came too late."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.helm import HelmError, helm
from support.task_groups import WORKERS, Bench
from support.wait import PATIENCE, eventually
from taskgroup.api.names import API_VERSION, KIND

NAME = "charted"


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(f"apiVersion: v2\nname: {NAME}\nversion: 0.1.0\n")
    return tmp_path


def release(bench: Bench, chart: Path, *items: str) -> None:
    """Install or upgrade the chart with a TaskGroup of these items; HelmError when Helm calls that a failure."""
    broker = {"secretKeyRef": {"name": "redis"}}
    template = {"task": "demo.note", "args": ["$(item)"]}
    spec = {"items": items, "template": template, "workers": WORKERS, "broker": broker}
    group = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": NAME}, "spec": spec}
    (chart / "templates/group.yaml").write_text(json.dumps(group))
    options = ("--namespace", bench.kubectl.namespace, "--wait", "--timeout", f"{PATIENCE}s")
    helm("upgrade", "--install", NAME, str(chart), *options, kubeconfig=bench.kubectl.kubeconfig)


def test_items_that_come_after_the_end_fail_an_upgrade(bench: Bench, chart: Path) -> None:
    """They were ignored, and Helm called the release deployed."""
    with ThreadPoolExecutor(1) as pool:
        installed = pool.submit(release, bench, chart, "a", "b")
        eventually(lambda: installed.done() or not bench.is_gone(NAME))
        with bench.worker(bench.group(NAME)["metadata"]["uid"]):
            installed.result()
    assert bench.status(NAME)["state"] == "Complete"

    release(bench, chart, "a", "b")
    with pytest.raises(HelmError, match="1 items were appended after the group had ended"):
        release(bench, chart, "a", "b", "c")
    assert bench.status(NAME)["succeeded"] == 2
