"""What the API server shows and takes of a TaskGroupLedger: nothing to look at, and nothing but bytes of a size."""

from typing import Any

import pytest

from support.crd.server import LEDGER, LEDGERS, Answer, TaskGroups, shared_task_groups
from support.kubectl import Kubectl, new_namespace
from taskgroup.api.ledger import MAX_CHARACTERS

DISCOVERY = "/apis/taskgroups.dev/v1alpha1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.fixture(scope="module")
def groups() -> TaskGroups:
    return shared_task_groups()


def asked(groups: TaskGroups, **fields: Any) -> Answer:
    """The answer to a ledger with these fields; None takes one away."""
    body = {key: value for key, value in (LEDGER | fields).items() if value is not None}
    return groups.ask("POST", LEDGERS, body)


def test_discovery_gives_it_no_short_name_and_no_category(groups: TaskGroups) -> None:
    """So that neither `kubectl get all` nor a mistyped word shows it."""
    found = {entry["name"]: entry for entry in groups.get(DISCOVERY)["resources"]}

    assert found["taskgroupledgers"]["namespaced"]
    assert found["taskgroupledgers"]["singularName"] == "taskgroupledger"
    assert not {"shortNames", "categories"} & found["taskgroupledgers"].keys()
    assert "taskgroupledgers/status" not in found


@pytest.mark.usefixtures("groups")
def test_get_all_does_not_list_it() -> None:
    with new_namespace() as kubectl:
        assert kubectl.create({**LEDGER, "metadata": {"name": "books"}}) == ""
        assert _listed(kubectl, "taskgroupledgers") == ["taskgroupledger.taskgroups.dev/books"]
        assert _listed(kubectl, "all,taskgroups") == []


def _listed(kubectl: Kubectl, kinds: str) -> list[str]:
    return kubectl("get", kinds, "--output", "name").stdout.split()


def test_the_table_shows_name_and_age_alone(groups: TaskGroups) -> None:
    table = groups.get(LEDGERS, accept=TABLE)

    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Age"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"snapshot": None}, "snapshot: Required value"),
        ({"snapshot": 5}, "snapshot in body must be of type"),
        ({"snapshot": "not base64"}, "snapshot in body must be of type byte"),
        ({"snapshot": "A" * (MAX_CHARACTERS + 4)}, f"may not be more than {MAX_CHARACTERS} "),
        ({"status": {}}, 'unknown field "status"'),
    ],
    ids=["missing", "no text", "not base64", "too long", "another field"],
)
def test_it_holds_base64_of_a_bounded_size_and_nothing_else(
    groups: TaskGroups, fields: dict[str, Any], words: str
) -> None:
    assert asked(groups).accepted
    refused = asked(groups, **fields)
    assert not refused.accepted
    assert words in refused.message
