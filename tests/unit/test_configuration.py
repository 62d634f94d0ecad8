"""Specs that contradict the group's past."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import finished, indexes, ledger, observed, running, spec, work
from taskgroup.api.names import Reason
from taskgroup.core.groups import configuration
from taskgroup.core.groups.observed import Observed
from taskgroup.core.trouble import Trouble

THREE: dict[str, Any] = {"items": ["a", "b", "c"]}


def changed(seen: Observed, **fields: Any) -> Observed:
    wanted = spec(**fields)
    return replace(seen, spec=wanted, work=work(wanted))


def test_nothing_is_wrong_with_what_did_not_change() -> None:
    assert configuration.trouble(running(spec(**THREE))) is None


def test_appended_items_are_welcome_while_the_group_runs() -> None:
    assert configuration.trouble(changed(running(spec(**THREE)), items=["a", "b", "c", "d"])) is None


@pytest.mark.parametrize("items", [["a", "b"], ["a", "x", "c"], ["b", "a", "c"], ["x", "a", "b", "c"]])
def test_changed_items_are_named_with_what_to_do(items: list[str]) -> None:
    trouble = configuration.trouble(changed(running(spec(**THREE)), items=items))

    assert trouble is not None
    assert trouble.reason == Reason.ITEMS_CHANGED
    assert "the first 3 items" in trouble.message
    assert "put them back" in trouble.message


def test_items_may_still_change_before_the_start() -> None:
    assert configuration.trouble(changed(observed(spec(**THREE)), items=["x"])) is None


def test_what_cannot_be_read_comes_first() -> None:
    wrong = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")
    seen = replace(changed(running(spec(**THREE)), items=["x"]), invalid=wrong)

    assert configuration.trouble(seen) == wrong
    assert configuration.trouble(replace(seen, work=None)) == wrong


def test_items_appended_after_the_end_are_refused() -> None:
    ended = finished(running(spec(**THREE), ledger(3, succeeded=indexes(range(3)))))
    assert configuration.appended_after_end(ended) is None

    trouble = configuration.appended_after_end(changed(ended, items=["a", "b", "c", "d", "e"]))
    assert trouble is not None
    assert trouble.reason == Reason.GROUP_ENDED
    assert "2 items were appended" in trouble.message
    assert "create a new TaskGroup" in trouble.message


def test_items_appended_in_the_look_that_ends_the_group_belong_to_it() -> None:
    started = running(spec(activeDeadlineSeconds=5, **THREE))
    appended = changed(started, items=["a", "b", "c", "d"], activeDeadlineSeconds=5)

    ended = finished(appended, 1_800_000_100.0)

    assert ended.status.total == 4
    assert ended.status.cancelled == 4
    assert configuration.appended_after_end(ended) is None
