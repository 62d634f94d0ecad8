"""Parts of a run without a cluster: what a person sees, and what of the manifest is used."""

import io
from typing import Any

import pytest

from taskgroup.api.names import EventReason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.api.workers import Workers
from taskgroup.core.groups.plan import Event
from taskgroup.local.checking import check
from taskgroup.local.manifests import Manifest
from taskgroup.local.progress import Progress
from taskgroup.local.session import body_of
from taskgroup.local.worker_process import left_out

HALF = {"state": "Running", "total": 1_100, "succeeded": 1_037, "failed": 2, "rate": "12/s"}
LINE = "Running: 1,037/1,100 succeeded, 2 failed, 12/s"
WARNING = Event(EventReason.ITEM_FAILED, "item 3 failed.", warning=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO) -> str:
    """A run's whole output: one status twice, a warning, an event that is none, and another status."""
    progress, status = Progress(out), TaskGroupStatus.model_validate(HALF)
    progress.show(status)
    progress.show(status)
    progress.tell(WARNING)
    progress.tell(Event(EventReason.STARTED, "begun"))
    progress.show(status.model_copy(update={"cancelled": 61, "rate": None}))
    progress.end()
    return out.getvalue()


def test_a_file_gets_a_line_for_each_change() -> None:
    assert shown(io.StringIO()).splitlines() == [
        LINE,
        "ItemFailed: item 3 failed.",
        "Running: 1,037/1,100 succeeded, 2 failed, 61 cancelled",
    ]


def test_a_terminal_has_one_line_that_changes_below_the_warnings() -> None:
    assert shown(Terminal()) == (
        f"\r\x1b[K{LINE}\r\x1b[KItemFailed: item 3 failed.\n{LINE}"
        "\r\x1b[KRunning: 1,037/1,100 succeeded, 2 failed, 61 cancelled\n"
    )


def test_before_the_items_are_known_the_state_is_shown() -> None:
    out = io.StringIO()
    Progress(out).show(TaskGroupStatus())

    assert out.getvalue() == "Pending\n"


def test_what_means_nothing_to_a_process_is_named() -> None:
    secret = {"secretKeyRef": {"name": "a", "key": "b"}}
    fields: dict[str, Any] = {
        "image": "a",
        "app": "a",
        "env": [{"name": "PLAIN", "value": "1"}, {"name": "SECRET", "valueFrom": secret}],
        "envFrom": [{"secretRef": {"name": "a"}}],
        "volumes": [{"name": "a", "emptyDir": {}}],
        "sidecars": [],
    }
    assert left_out(Workers.model_validate(fields)) == ["volumes", "envFrom", "env SECRET"]
    assert left_out(Workers.model_validate({"image": "a", "app": "a"})) == []


@pytest.mark.parametrize(("given", "namespace"), [({}, "default"), ({"namespace": "shop"}, "shop")])
def test_a_group_runs_at_once_on_one_worker_and_the_runs_own_broker(given: dict[str, str], namespace: str) -> None:
    spec = {
        "items": [{"a": None}],
        "template": {"task": "a"},
        "workers": {"image": "a", "app": "a", "maxReplicas": 7, "concurrency": 3},
        "broker": {"secretKeyRef": {"name": "elsewhere"}},
        "resultBackend": {"secretKeyRef": {"name": "elsewhere"}},
        "suspend": True,
        "ttlSecondsAfterFinished": 0,
        "parallelism": 2,
    }
    body = {"metadata": {"name": "trial", **given}, "spec": spec}

    run = body_of(check(Manifest("", "trial", body)), "b")

    assert run["metadata"]["namespace"] == namespace
    assert run["spec"] == {
        "items": [{"a": None}],
        "template": {"task": "a"},
        "workers": {"image": "a", "app": "b", "maxReplicas": 1, "concurrency": 3},
        "parallelism": 2,
    }
