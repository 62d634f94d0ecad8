"""Every CEL rule and every oneOf of the CRD accepts what it should and refuses the rest with its sentence."""

import uuid
from collections.abc import Iterator

import pytest
from structural_schema import nodes

from support.crd.alternatives import ALTERNATIVES
from support.crd.bounds import schema
from support.crd.chain_cases import CHAIN_CASES
from support.crd.objects import ABSENT, LEAST, TIME, Edits, Json, replacement, task_group
from support.crd.rule_cases import CASES, COMBINED, SEQUENCE, TASKS, Case
from support.crd.server import TaskGroups, shared_task_groups

ALL = (*CASES, *CHAIN_CASES)
CREATES = [case for case in ALL if case.before is None]
UPDATES = [case for case in ALL if case.before is not None]


def label(case: Case) -> str:
    return f"{case.at or 'root'}-{case.message[:40]}"


@pytest.fixture(scope="module")
def groups() -> TaskGroups:
    return shared_task_groups()


@pytest.fixture
def name(groups: TaskGroups) -> Iterator[str]:
    """Name of an object that the test may store."""
    name = f"rule-{uuid.uuid4().hex[:12]}"
    yield name
    groups.delete(name)


def test_every_rule_has_a_case() -> None:
    """A rule that nobody has seen refuse is not known to work."""
    rules = [
        (path, rule["message"]) for path, node in nodes(schema()) for rule in node.get("x-kubernetes-validations", ())
    ]

    assert set(rules) == {(case.at, case.message) for case in ALL}


def test_every_one_of_has_a_case() -> None:
    junctions = [path for path, node in nodes(schema()) if "oneOf" in node]

    assert junctions == list(ALTERNATIVES)


@pytest.mark.parametrize("case", CREATES, ids=label)
def test_a_create_is_judged(groups: TaskGroups, case: Case) -> None:
    accepted, refused = (groups.create(task_group(LEAST, edits)) for edits in (case.accepted, case.refused))

    assert accepted.accepted, accepted.message
    assert not refused.accepted
    assert case.message in refused.message


@pytest.mark.parametrize("case", UPDATES, ids=label)
def test_an_update_is_judged(groups: TaskGroups, name: str, case: Case) -> None:
    first = groups.create(task_group(LEAST, case.before, name=name), keep=True).body
    if case.status:
        first = groups.replace_status({**first, "status": dict(case.status)}, keep=True).body

    refused = groups.replace(replacement(LEAST, case.refused, first), keep=True)
    accepted = groups.replace(replacement(LEAST, case.accepted, first), keep=True)

    assert not refused.accepted
    assert case.message in refused.message
    assert accepted.accepted, accepted.message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("axes.width", [64, 256, 512]),
        ("axes.width", [256, 64]),
        ("axes.height", [64]),
        ("exclude", ABSENT),
        ("exclude.0.path", "other.jpg"),
        ("include.0.more", 0),
    ],
)
def test_a_matrix_may_change_before_the_start_only(groups: TaskGroups, name: str, place: str, value: Json) -> None:
    """The rule compares values of which the schema does not know the type."""
    edits = {**COMBINED, f"spec.matrix.{place}": value}
    first = groups.create(task_group(LEAST, COMBINED, name=name), keep=True).body
    before = groups.replace(replacement(LEAST, edits, first))
    started = groups.replace_status({**first, "status": {"startTime": TIME}}, keep=True).body

    after = groups.replace(replacement(LEAST, edits, started))

    assert before.accepted, before.message
    assert "cannot change once the group has started" in after.message


@pytest.mark.parametrize("other", [{}, SEQUENCE, TASKS], ids=["items", "sequence", "tasks"])
def test_a_matrix_does_not_become_another_source(groups: TaskGroups, name: str, other: Edits) -> None:
    first = groups.create(task_group(LEAST, COMBINED, name=name), keep=True).body

    answer = groups.replace(replacement(LEAST, other, first))

    assert "the source of items cannot change" in answer.message


def test_a_template_may_change_before_the_start(groups: TaskGroups, name: str) -> None:
    first = groups.create(task_group(LEAST, name=name), keep=True).body

    answer = groups.replace(replacement(LEAST, {"spec.template": {"task": "other"}}, first))

    assert answer.accepted, answer.message


@pytest.mark.parametrize("path", ALTERNATIVES)
def test_one_of_is_judged(groups: TaskGroups, path: str) -> None:
    good, bad = ALTERNATIVES[path]
    accepted = [groups.create(task_group(LEAST, edits)) for edits in good]
    refused = [groups.create(task_group(LEAST, edits)) for edits in bad]

    assert [answer.message for answer in accepted if not answer.accepted] == []
    assert [answer.accepted for answer in refused] == [False] * len(bad)
    place = path.replace("[]", "[0]")
    assert all(f'"{place}" must validate one and only one schema (oneOf)' in answer.message for answer in refused)
