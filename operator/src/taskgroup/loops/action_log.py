"""One line for every action that was carried out: what, for whom, how much, and why; and one for every event."""

import json
import logging
from dataclasses import fields

from pyroaring import AbstractBitMap

from taskgroup.core.action import Action
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta

_log = logging.getLogger("taskgroup.actions")


def log_action(meta: Meta, action: Action) -> None:
    """At DEBUG when it is `frequent`, at INFO otherwise; names and values as key=value."""
    level = logging.DEBUG if action.frequent else logging.INFO
    if _log.isEnabledFor(level):
        _log.log(level, "%s", action_line(meta, action))


def log_event(meta: Meta, event: Event) -> None:
    """What the group's owner is told: starts, troubles, failures and the outcome; `group=… event=… message="…"`."""
    level = logging.WARNING if event.warning else logging.INFO
    _log.log(level, "group=%s event=%s message=%s", meta, event.reason, _quoted(event.message))


def action_line(meta: Meta, action: Action) -> str:
    """`group=shop/thumbnails action=Dispatch priority=0 start=0 indexes=500 reason="The window has room."`."""
    values = {field.name: getattr(action, field.name) for field in fields(action) if field.name != "reason"}
    numbers = [f"{name}={_number(value)}" for name, value in values.items()]
    return " ".join([f"group={meta}", f"action={type(action).__name__}", *numbers, f"reason={_quoted(action.reason)}"])


def _quoted(text: str) -> str:
    """A reason may hold a tenant's words: no quote and no line end of theirs breaks the line."""
    return json.dumps(text, ensure_ascii=False)


def _number(value: object) -> object:
    """Sets and lists by their size."""
    return len(value) if isinstance(value, (AbstractBitMap, tuple, frozenset)) else value
