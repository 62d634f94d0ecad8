"""`taskgroup plan`: what it prints of the examples and of chains, and how it refuses what cannot be run."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.crd.alternatives import SOURCES
from support.crd.chain_cases import CHAIN_CASES
from support.crd.objects import LEAST, SPECS, task_group
from support.crd.rule_cases import CASES, Case
from taskgroup.core.groups.advice import AdviceReason
from taskgroup.local.checking import check
from taskgroup.local.manifests import Manifest, ManifestError, read_manifests
from taskgroup.local.plan import Output, print_plan

ROOT = Path(__file__).parents[2]
PLANS = Path(__file__).parent / "plans"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
HEAD = "apiVersion: taskgroups.dev/v1alpha1\nkind: TaskGroup\nmetadata: {name: x}\n"
WORKERS = "workers: {image: a, app: a}"
OFFLINE = {
    "the name must have at most 52 characters",
    "the name must not contain dots",
    "items, sequence, matrix and itemsFrom need a template, and tasks must have none: each of them is a signature"
    " itself",
    "itemsFrom.before needs spec.before, whose result is the list of items",
    "chunkSize needs a template: tasks have one item each",
    "timeLimitSeconds needs workers.pool prefork or gevent: the other pools ignore it",
    "softTimeLimitSeconds needs workers.pool prefork: the other pools ignore it",
    "softTimeLimitSeconds must be smaller than timeLimitSeconds",
    "successPolicy has exactly one of succeededCount, succeededPercent",
    "pool solo runs one item at a time: set concurrency to 1, or use another pool",
}
"""Rules that hold without a cluster, too."""


def printed(path: Path | str, messages: int = 3, output: Output = Output.TEXT) -> str:
    out = io.StringIO()
    print_plan(str(path), messages, output, out)
    return out.getvalue()


@pytest.mark.parametrize("path", [*EXAMPLES, PLANS / "chain.yaml"], ids=lambda path: path.stem)
def test_what_is_printed(path: Path) -> None:
    assert printed(path) == (PLANS / f"{path.stem}.txt").read_text()


@pytest.mark.parametrize(
    ("policy", "when"),
    [
        ("{}", "all items have succeeded"),
        ("{successPolicy: {succeededCount: 2}}", "2 items have succeeded"),
        ("{successPolicy: {succeededPercent: 80}}", "80 % of the items have succeeded"),
    ],
)
def test_a_callback_runs_when_enough_items_have_succeeded(tmp_path: Path, policy: str, when: str) -> None:
    spec = {"items": [1, 2, 3], "template": {"task": "a"}, "callback": {"task": "b"}, **yaml.safe_load(policy)}
    path = tmp_path / "group.yaml"
    path.write_text(HEAD + yaml.safe_dump({"spec": {**spec, "workers": {"image": "a", "app": "a"}}}))

    assert f"b, once, when {when}\n" in printed(path)


def test_programs_get_the_same_as_json() -> None:
    found = json.loads(printed(PLANS / "chain.yaml", 2, Output.JSON))

    group = found["groups"][0]
    assert found["leftOut"] == ["Service/front"]
    assert (group["items"], group["messages"], group["priorities"]) == (2, 6, {"9": 2, "0": 4})
    assert [(message["id"], message["after"]) for message in group["first"]] == [
        ("<uid>.0", None),
        ("<uid>.0.1", "<uid>.0"),
    ]
    assert group["first"][1]["kwargs"] == {"when": "2026-01-01", "big_number": 100000.0, "at": "12:30"}
    assert {warning["reason"] for warning in group["warnings"]} == {"NoDeadline", "NoTimeLimit"}


def command(text: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "taskgroup", "plan", "-f", "-", "--output", "json", "--messages", "0"]
    return subprocess.run(line, input=text, capture_output=True, text=True, check=False)


def test_the_command_reads_standard_input() -> None:
    done = command(EXAMPLES[0].read_text())

    assert (done.returncode, done.stderr) == (0, "")
    assert [(group["name"], group["first"]) for group in json.loads(done.stdout)["groups"]] == [(EXAMPLES[0].stem, [])]


def test_the_command_fails_with_one_line() -> None:
    done = command("a: [")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("taskgroup: standard input, line 2, column 1: it is no valid YAML")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "standard input, line 2, column 1: it is no valid YAML"),
        ("a: *b", "standard input, line 1, column 4: it is no valid YAML (found undefined alias"),
        ("", "standard input: it holds no TaskGroup; name a file with kind: TaskGroup."),
        ("kind: Service\nmetadata: {name: b}", "it holds no TaskGroup (only Service/b)"),
        ("just text", "standard input, document 1: it is no Kubernetes object; begin it with apiVersion"),
        (HEAD.replace("v1alpha1", "v9"), "its apiVersion is taskgroups.dev/v9; write taskgroups.dev/v1alpha1."),
        (HEAD.replace("{name: x}", "{}"), "it has no name; write one as metadata.name."),
        (HEAD, "document 1 (x): it has no spec"),
        (
            f"{HEAD}spec: {{items: [1], items: [2]}}",
            "line 4, column 20: it is no valid YAML (the key items occurs twice)",
        ),
        (f"{HEAD}spec: {{items: [1], {WORKERS}}}", "itemsFrom need a template, and tasks must have none"),
        (
            f"{HEAD}spec: {{items: [1], template: {{task: a, tsk: b}}, {WORKERS}}}",
            "(x): spec.template.tsk: there is no such field; remove it, or correct its name.",
        ),
        (
            f"{HEAD}spec: {{items: [1], template: {{task: a}}, workers: {{image: a, app: a, concurrency: '4'}}}}",
            "(x): spec.workers.concurrency: input should be a valid integer; correct it.",
        ),
        (
            f"{HEAD}spec: {{template: {{task: a}}, sequence: {{count: 0}}, workers: {{image: a}}}}",
            "spec.sequence.count: input should be greater than or equal to 1; correct it (and 1 more).",
        ),
        (
            f"{HEAD}spec: {{items: [{{a: 1}}], template: {{task: a, args: [$(item.b)]}}, {WORKERS}}}",
            "(x): Item 0 has no 'b': correct the item or $(item.b).",
        ),
        (
            f"{HEAD}spec: {{items: [99999999999999999999], template: {{task: a}}, {WORKERS}}}",
            "(x): spec.items[0]: It reads 99999999999999999999 here",
        ),
        (
            f"{HEAD}spec: {{items: [1], template: {{task: a, options: {{headers: {{id: b}}}}}}, {WORKERS}}}",
            "(x): options.headers of task a must not set 'id'",
        ),
    ],
)
def test_what_cannot_be_run_ends_with_a_sentence(text: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    with pytest.raises(ManifestError) as caught:
        printed("-")

    assert str(caught.value).startswith("standard input")
    assert sentence in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ManifestError) as caught:
        printed("nowhere.yaml")

    assert str(caught.value) == (
        "nowhere.yaml: the file cannot be read (No such file or directory); check its name and rights."
    )


def manifest(body: dict[str, Any]) -> Manifest:
    return Manifest("document 1", body["metadata"]["name"], body)


@pytest.mark.parametrize(
    ("source", "edits"),
    [
        ("items", {}),
        ("sequence", {}),
        ("chain", {}),
        ("tasks", {"spec.tasks.0.args": [1], "spec.tasks.1.chain.0.args": [1]}),
    ],
)
def test_every_field_of_the_definition_is_known(source: str, edits: dict[str, Any]) -> None:
    assert check(manifest(task_group(SPECS[source], edits))).name == "example"


def test_an_unknown_field_is_refused_beside_those_that_kubernetes_knows() -> None:
    with pytest.raises(ManifestError, match=r"spec\.workers\.rust: there is no such field"):
        check(manifest(task_group(SPECS["items"], {"spec.workers.rust": 1})))


CREATES = [case for case in (*CASES, *CHAIN_CASES) if case.before is None]


@pytest.mark.parametrize("case", CREATES, ids=lambda case: case.message[:40])
def test_rules_say_what_the_api_server_says(case: Case) -> None:
    check(manifest(task_group(LEAST, case.accepted)))

    if case.message in OFFLINE:
        with pytest.raises(ManifestError) as caught:
            check(manifest(task_group(LEAST, case.refused)))
        assert case.message in str(caught.value)


def test_rules_are_those_of_the_definition() -> None:
    assert {case.message for case in CASES} >= OFFLINE


@pytest.mark.parametrize("at", SOURCES)
def test_alternatives_exclude_each_other(at: str) -> None:
    accepted, refused = SOURCES[at]
    for edits in accepted:
        check(manifest(task_group(LEAST, edits)))
    for edits in refused:
        with pytest.raises(ManifestError):
            check(manifest(task_group(LEAST, edits)))


def test_a_file_is_read_as_yaml_of_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    values = {
        "[2026-01-01, 12:30, 1e5, 0x10, 1_0, .5, yes, null, 1.0]": [
            "2026-01-01",
            "12:30",
            1e5,
            16,
            10,
            0.5,
            True,
            None,
            1.0,
        ]
    }
    for text, expected in values.items():
        path.write_text(f"{HEAD}spec: {text}")
        assert read_manifests(str(path)).groups[0].body["spec"] == expected


def test_merged_keys_are_no_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &base {a: 1, b: 2}\n" + HEAD + "spec: {<<: *base, a: 3}")

    assert read_manifests(str(path)).groups[0].body["spec"] == {"a": 3, "b": 2}


def test_the_examples_are_those_of_the_folder() -> None:
    """A new example gets a plan."""
    named = {group.name for path in EXAMPLES for group in read_manifests(str(path)).groups}
    assert named == {path.stem for path in PLANS.glob("*.txt")} - {"chain"}


def test_every_warning_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/local.md").read_text(), re.MULTILINE)
    assert {str(reason) for reason in AdviceReason} <= set(explained)
