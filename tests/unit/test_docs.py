"""The documents agree with the code: links lead somewhere, manifests are valid, reasons explained, targets there."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskgroup.api.names import EventReason, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.api.taskgroup import TaskGroup

ROOT = Path(__file__).parents[2]
CONCEPTS = ROOT / "docs/concepts.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TARGET = re.compile(r"\bmake((?: +[a-z][a-z0-9-]*)+)")
_ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)


def _documents() -> list[Path]:
    names = _output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]).splitlines()
    return sorted(ROOT / name for name in names if (ROOT / name).exists())


def _output(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


DOCUMENTS = _documents()
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def _blocks(path: Path) -> list[tuple[str, str]]:
    """Language and text of every fenced block."""
    return _BLOCK.findall(path.read_text())


def _prose(path: Path) -> str:
    return _BLOCK.sub("", path.read_text())


def _anchors(path: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_relative_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in _LINK.findall(re.sub("`[^`]+`", "", _prose(path))):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@each_document
def test_yaml_fits_the_models(path: Path) -> None:
    for language, text in _blocks(path):
        if language == "yaml":
            for document in yaml.safe_load_all(text):
                _validate(document)


@each_document
def test_tasks_of_the_example_image_exist(path: Path) -> None:
    """A group whose task no worker knows waits for ever."""
    known = set(re.findall(r'task\(name="([\w.]+)"', _output(["git", "grep", "-h", "task(name=", "worker-image/apps"])))
    blocks = [text for language, text in _blocks(path) if language == "yaml" and "taskgroup-worker:dev" in text]

    asked = {name for text in blocks for name in re.findall(r"\btask: ([\w.]+)", text)}
    assert {name for name in asked - known if not name.startswith("images.")} == set()


def _validate(document: Any) -> None:
    """A whole manifest, the status of one, or some fields of a spec."""
    if document.get("kind") == "TaskGroup":
        TaskGroup.model_validate({"spec": document["spec"]}, extra="forbid")
    elif "status" in document:
        TaskGroupStatus.model_validate(document["status"], extra="forbid")
    elif "spec" in document:
        needed = {"items": [1], "template": {"task": "a.b"}, "workers": {"image": "a", "app": "a"}}
        TaskGroupSpec.model_validate(needed | document["spec"], extra="forbid")
    else:
        raise AssertionError(f"yaml that no model describes: {document}")


def test_the_readme_shows_a_manifest_and_the_status_it_ends_with() -> None:
    shown = [yaml.safe_load(text) for language, text in _blocks(ROOT / "README.md") if language == "yaml"]
    manifest = next(document for document in shown if "kind" in document)
    ended = next(document["status"] for document in shown if "status" in document)
    assert ended["total"] == len(manifest["spec"]["items"])


@each_document
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [text for language, text in _blocks(path) if language in ("sh", "")]
    code += re.findall(r"`([^`]+)`", _prose(path))
    named = {name for text in code for line in text.splitlines() for name in _named(line)}
    assert named <= targets


def _named(line: str) -> list[str]:
    return [name for targets in _TARGET.findall(line.partition("#")[0]) for name in targets.split()]


def test_every_reason_is_explained() -> None:
    explained = _explained()
    assert {str(reason) for reason in (*Reason, *EventReason)} - explained == set()


@pytest.mark.parametrize("section", ["Suspended", "ConfigurationValid", "BackendReachable", "WorkersReady"])
def test_every_explained_reason_exists(section: str) -> None:
    part = re.split(r"^##+ ", CONCEPTS.read_text().partition(f"\n### {section}\n")[2], flags=re.MULTILINE)[0]
    named = {name for row in _ROW.findall(part) for name in re.findall(r"`([^`]+)`", row)}
    assert named
    assert named <= {str(reason) for reason in Reason}


def _explained() -> set[str]:
    """Names in the first column of any table of the concepts."""
    return {name for row in _ROW.findall(CONCEPTS.read_text()) for name in re.findall(r"`([^`]+)`", row)}


def test_every_example_is_listed() -> None:
    links = _LINK.findall((ROOT / "docs/examples.md").read_text())
    missing = {f"../examples/{path.name}" for path in ROOT.glob("examples/*.yaml")} - set(links)
    assert missing == set()


def test_every_decision_is_listed() -> None:
    pages = {path.name for path in (ROOT / "docs/decisions").glob("*.md")} - {"README.md"}
    listed = set(_LINK.findall((ROOT / "docs/decisions/README.md").read_text()))
    assert listed == pages


def test_variables_exist() -> None:
    """Whatever the documents say to set is read by somebody."""
    search = ["git", "grep", "--untracked", "-hoE", r"\bTASKGROUP_[A-Z_]+\b", "--"]
    named, known = (set(_output([*search, files]).split()) for files in ("*.md", ":!*.md"))
    assert named <= known


@each_document
def test_named_tests_exist(path: Path) -> None:
    """A claim that names the test which tries it."""
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", _prose(path)))
    known = set(
        re.findall(r"def (test_\w+)\(", _output(["git", "grep", "--untracked", "-hE", r"def test_", "--", "tests"]))
    )
    assert named <= known
