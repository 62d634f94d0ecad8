"""The pattern of a task id in Lua against the one in Python: a script and the operator must mean the same item."""

import json

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskgroup.core.hooks import Hook, first_hooks, hook_unit
from taskgroup.core.stages import first_units
from taskgroup.core.task_id import LUA_PATTERN, TaskId
from taskgroup.core.units import MAX_STEPS, STEP_SIZE, unit_of

SCRIPT = """
local uid, index, step, attempt = ARGV[2]:match(ARGV[1])
return cjson.encode({uid or cjson.null, index or cjson.null, step or cjson.null, attempt or cjson.null})
"""
SEVERAL = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(codec="utf-8"))


def in_lua(client: redis.Redis, text: str) -> TaskId | None:
    """What the pattern captures, as the scripts understand it."""
    uid, place, step, attempt = json.loads(str(client.eval(SCRIPT, 0, LUA_PATTERN, text), "utf-8"))
    if uid is None or not (place.isdigit() or place in first_units()):
        return None
    first, hook = first_units().get(place) or int(place), first_hooks().get(f".{step}")
    if step and not step.isdigit() and (hook is None or not place.isdigit()):
        return None
    later = unit_of(0, int(step or 0)) if hook is None else hook
    return TaskId(uid, first + later, int(attempt or 0))


@SEVERAL
@given(
    uid=st.uuids().map(str),
    index=st.integers(0, STEP_SIZE - 1),
    step=st.integers(0, MAX_STEPS - 1),
    attempt=st.integers(0, 9_999_999_999),
)
def test_lua_reads_every_id_of_an_item(client: redis.Redis, uid: str, index: int, step: int, attempt: int) -> None:
    item = TaskId(uid, unit_of(index, step), attempt)

    assert in_lua(client, str(item)) == TaskId.parse(str(item)) == item


@SEVERAL
@given(uid=st.uuids().map(str), index=st.integers(0, STEP_SIZE - 1), hook=st.sampled_from(Hook))
def test_lua_reads_every_id_of_a_hook(client: redis.Redis, uid: str, index: int, hook: Hook) -> None:
    item = TaskId(uid, hook_unit(hook, index), 3)

    assert in_lua(client, str(item)) == TaskId.parse(str(item)) == item


@SEVERAL
@given(text=texts | st.uuids().map(str) | st.from_regex(r"[a-z.~0-9\u0663]*", fullmatch=True))
def test_what_only_lua_takes_for_an_item_is_written_by_nobody(client: redis.Redis, text: str) -> None:
    by_lua, by_python = in_lua(client, text), TaskId.parse(text)

    if by_python is not None:
        assert by_lua == by_python
    elif by_lua is not None:
        # A pattern of Lua cannot say that digits follow a sign, nor how large a number is at most.
        assert str(by_lua) != text or by_lua.unit >= MAX_STEPS * STEP_SIZE or by_lua.attempt >= 10**10


@pytest.mark.parametrize(
    "text",
    [
        "u.callback.x",
        "u.callback.onItemFailure",
        "u.onItemFailure",
        "u.1.x",
        "u.1.onItemFailure.1",
        "u.1.callback",
        "u.other",
        "some-subtask",
        "u",
        "u.",
        ".1",
        "u.x",
        "u.1~x",
        "u.1~1~1",
        "u.1~1.1",
        "u.1.1.1",
        "u.-1",
        "u.1 ",
        "u.\u0663",
    ],
)
def test_neither_takes_another_id_for_an_item(client: redis.Redis, text: str) -> None:
    assert in_lua(client, text) is None
    assert TaskId.parse(text) is None
