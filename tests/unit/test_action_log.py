"""The log line of an action: what, for whom, how much and why; frequent ones only for debugging."""

import logging

import pytest
from pyroaring import FrozenBitMap

from taskgroup.api.names import EventReason
from taskgroup.core.action import Action
from taskgroup.core.groups import plan as groups
from taskgroup.core.meta import Meta
from taskgroup.core.pools import plan as pools
from taskgroup.loops.action_log import action_line, log_action, log_event

META = Meta(uid="u", name="thumbnails", namespace="shop")
MANY = FrozenBitMap(range(500))


@pytest.mark.parametrize(
    ("action", "rest"),
    [
        (groups.Open(), "action=Open"),
        (groups.Dispatch(0, 20, MANY), "action=Dispatch priority=0 start=20 indexes=500"),
        (groups.Withdraw(running=True), "action=Withdraw running=True"),
        (groups.MarkMissing(FrozenBitMap()), "action=MarkMissing units=0"),
        (pools.ApplyWorkers(3), "action=ApplyWorkers replicas=3"),
        (pools.MarkPods(("a", "b"), ("c",)), "action=MarkPods idle=2 busy=1"),
        (pools.PutBack("w-1", frozenset({"a", "b"})), "action=PutBack pod=w-1 tags=2 anew=False"),
        (
            pools.Requeue("w-1", 2, None, count_loss=True, loss_limit=3),
            "action=Requeue pod=w-1 restarts=2 before=None count_loss=True loss_limit=3 suspect_losses=2",
        ),
    ],
)
def test_a_line_names_the_group_the_action_and_every_number(action: Action, rest: str) -> None:
    assert action_line(META, action) == f'group=shop/thumbnails {rest} reason=""'


def test_a_line_ends_with_the_reason() -> None:
    line = action_line(META, groups.Redispatch(MANY, reason="They came back."))

    assert line == 'group=shop/thumbnails action=Redispatch units=500 reason="They came back."'


@pytest.mark.parametrize(
    ("action", "level"),
    [
        (groups.Dispatch(0, 0, MANY), logging.DEBUG),
        (groups.Redispatch(MANY), logging.DEBUG),
        (groups.Search(), logging.DEBUG),
        (pools.MarkPods((), ()), logging.DEBUG),
        (pools.AskClaims(("w-1",)), logging.DEBUG),
        (pools.Discard("w-1", frozenset()), logging.DEBUG),
        (pools.PutBack("w-1", frozenset()), logging.INFO),
        (pools.StopPod("w-1"), logging.INFO),
        (groups.Open(), logging.INFO),
        (groups.Withdraw(running=False), logging.INFO),
        (groups.Renew(MANY), logging.INFO),
        (groups.MarkMissing(MANY), logging.INFO),
        (groups.DeleteObject(), logging.INFO),
        (pools.ApplyWorkers(0), logging.INFO),
        (pools.Requeue("w-1", 0, None, count_loss=True), logging.INFO),
    ],
)
def test_frequent_actions_are_for_debugging(action: Action, level: int, caplog: pytest.LogCaptureFixture) -> None:
    for threshold, lines in ((logging.DEBUG, 1), (logging.INFO, int(level == logging.INFO))):
        caplog.clear()
        with caplog.at_level(threshold, logger="taskgroup.actions"):
            log_action(META, action)
        assert [(record.name, record.levelno, record.message) for record in caplog.records] == [
            ("taskgroup.actions", level, action_line(META, action))
        ][:lines]


def test_no_words_of_a_tenant_break_the_line() -> None:
    line = action_line(META, groups.Open(reason="No worker knows the task 'a\" action=Open\nINFO b'."))

    assert line.endswith('reason="No worker knows the task \'a\\" action=Open\\nINFO b\'."')
    assert "\n" not in line


@pytest.mark.parametrize(("warning", "level"), [(False, logging.INFO), (True, logging.WARNING)])
def test_what_the_owner_is_told_is_logged_too(caplog: pytest.LogCaptureFixture, warning: bool, level: int) -> None:
    """An outage, or an outcome, left no line in the operator's log."""
    with caplog.at_level(logging.INFO, logger="taskgroup.actions"):
        log_event(META, groups.Event(EventReason.BACKEND_UNREACHABLE, 'no "route"', warning))

    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage() == 'group=shop/thumbnails event=BackendUnreachable message="no \\"route\\""'
