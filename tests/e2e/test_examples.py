"""Every example, applied as it stands, ends as its page promises."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from demo.manifests import servers_of
from support.groups import Group
from support.kube import Kube
from support.wait import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
NAMESPACE = "taskgroup-demo"
"""The install lets it use the chart's Redis, as an example names no broker."""


def test_every_example_says_what_is_expected() -> None:
    expected = sorted(path.stem for path in EXAMPLES.glob("expected/*.json"))
    assert expected == NAMES
    assert {"documents", "pictures-matrix", "prices", "report", "urgent-first"} <= set(NAMES)


def test_every_server_belongs_to_an_example() -> None:
    heads = "".join(path.read_text() for path in EXAMPLES.glob("*.yaml"))
    assert [path.name for path in EXAMPLES.glob("servers/*.yaml") if f"examples/servers/{path.name}" not in heads] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_ends_as_expected(name: str, system: Kube, redis: Redis) -> None:
    kube = system.within(NAMESPACE)
    manifest, expected = EXAMPLES / f"{name}.yaml", json.loads((EXAMPLES / f"expected/{name}.json").read_text())
    kube.run("delete", "--filename", str(manifest), "--ignore-not-found", f"--timeout={PATIENCE}s")
    start_servers(kube, manifest)
    kube.run("apply", "--filename", str(manifest))
    group = Group(kube, redis, name, kube.get("taskgroup", name)["metadata"]["uid"])

    status = group.until_finished(expected["status"]["state"])

    assert _part_of(expected["status"], status) == expected["status"]
    assert _too_few(expected.get("atLeast", {}), status) == {}
    assert set(_reasons(status)) >= set(expected.get("reasons", ()))
    assert all(_is_among(status["failures"], failure) for failure in expected.get("failures", ())), status["failures"]
    assert _seconds(status) >= expected.get("atLeastSeconds", 0)
    named = {line["index"] for line in expected["results"]}
    found = group.results()
    assert [line for line in found if line["index"] in named] == expected["results"]
    others = {line["status"] == "SUCCESS" for line in found if line["index"] not in named}
    assert others <= {expected.get("othersSucceed", False)}
    for question in expected.get("asks", ()):
        answer = json.loads(kube.run("exec", question["of"], "--", *question["command"]))
        assert _part_of(question["answers"], answer) == question["answers"]
        assert _too_few(question.get("atLeast", {}), answer) == {}
    group.until_no_workers()


def start_servers(kube: Kube, manifest: Path) -> None:
    """Those that the head of the example says are applied with it."""
    for name in servers_of(manifest.read_text()):
        kube.run("apply", "--filename", str(EXAMPLES / f"servers/{name}.yaml"))
        kube.run("rollout", "status", f"deployment/{name}", f"--timeout={PATIENCE}s")


def _reasons(status: Any) -> list[str]:
    """Of the end, and of failures."""
    ends = [each["reason"] for each in status["conditions"] if each["type"] in ("Complete", "Failed")]
    return ends + [failure["reason"] for failure in status.get("failures", ())]


def _is_among(found: list[Any], expected: Any) -> bool:
    """Whether one of these has the fields of the expected one."""
    return any(_part_of(expected, one) == expected for one in found)


def _seconds(status: Any) -> float:
    """From the start to the end; both are cut to whole seconds."""
    start, end = (datetime.fromisoformat(status[key]) for key in ("startTime", "completionTime"))
    return (end - start).total_seconds()


def _too_few(least: dict[str, int], found: Any) -> dict[str, int]:
    """The counts that are below those of `least`."""
    return {name: found[name] for name, count in least.items() if found[name] < count}


def _part_of(expected: Any, found: Any) -> Any:
    """What is found, reduced to the fields that the expected value names."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: _part_of(value, found[key]) for key, value in expected.items() if key in found}
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [_part_of(*pair) for pair in zip(expected, found, strict=True)]
    return found
