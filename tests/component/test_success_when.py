"""An expression over each result decides whether its item has succeeded; it runs in a process that it may kill."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.builders import NAME, meta
from support.builders import spec as group_spec
from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import redis_server
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.expressions import child
from taskgroup.expressions.judge import Judge, verdicts
from taskgroup.groups.compiling import Compiler
from taskgroup.local.checking import check
from taskgroup.local.manifests import Manifest, ManifestError

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 4, "maxReplicas": 1}
ENDLESS = "[0,1,2,3,4,5,6,7,8,9].all(x, " * 11 + "x >= 0" + ")" * 11


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.close()


@pytest.mark.parametrize(
    ("expression", "result", "answer"),
    [
        ("result.sent == true", {"sent": True}, None),
        ("result.sent == true", {"sent": False}, "is false"),
        ("result.sent == true", {}, "cannot be evaluated: there is no 'sent'"),
        ("result", 5, "is neither true nor false"),
        ("has(result.sent) && result.sent", {}, "is false"),
        ("index == 3", None, None),
        ("size(result) > 1", ["é", 2**62], None),
    ],
)
def test_what_becomes_of_a_result(judge: Judge, expression: str, result: Any, answer: str | None) -> None:
    assert judge.why_not(expression, [(3, result)]) == [answer]


def test_what_cannot_be_evaluated_says_why(judge: Judge) -> None:
    assert judge.why_not("result.sent", [(0, 5), (1, {"sent": True})])[1] is None
    (answer,) = judge.why_not("surprise == 1", [(0, 5)])
    assert answer
    assert answer.startswith("cannot be evaluated: Undefined variable or function: 'surprise'")


def test_an_expression_that_takes_too_long_costs_its_own_item_alone(judge: Judge) -> None:
    answers = judge.why_not(f"index != 1 || {ENDLESS}", [(0, None), (1, None), (2, None)])

    assert answers == [None, "takes too long, or too much memory", None]


def test_an_expression_pays_only_for_the_time_of_the_processor() -> None:
    """A machine that had no time for the process for a second made items Failed whose expressions are quick."""
    count = 50_000
    request = {"expression": "index >= 0", "items": [(index, None) for index in range(count)]}
    command = [sys.executable, "-I", child.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == '"ready"\n'
        process.stdin.write(f"{json.dumps(request)}\n")
        process.stdin.close()
        # Nobody reads, so that it can write no more and waits.
        time.sleep(2 * child.LIMIT_SECONDS)

        assert process.stdout.read().splitlines() == ["null"] * (count + 1)


async def test_a_group_with_many_slow_answers_keeps_no_other_waiting_for_all_of_them() -> None:
    """They came after all of the other group's, a second for each, and on a thread that others need."""
    many = asyncio.create_task(verdicts("index >= 0", [(index, None) for index in range(1_000)]))
    await asyncio.sleep(0)

    assert await verdicts("true", [(0, None)]) == [None]
    assert not many.done()
    assert await many == [None] * 1_000


@pytest.mark.parametrize(
    ("expression", "begin"),
    [("result.sent ==", "line 1, column 15: Syntax error: "), ("(" * 1_024, "")],
)
def test_a_flaw_is_told_with_its_place(judge: Judge, expression: str, begin: str) -> None:
    flaw = judge.flaw(expression)

    assert flaw
    assert flaw.startswith(begin)
    assert judge.flaw("result == 1") is None, "it goes on"


async def test_a_group_with_a_flaw_is_not_run() -> None:
    compiled = await Compiler().compile(None, meta(), group_spec(successWhen="result ==").dump())

    assert compiled.work is None
    assert compiled.invalid
    assert compiled.invalid.reason == Reason.INVALID_SPEC
    assert compiled.invalid.message.startswith("spec.successWhen: line 1, column 10: Syntax error: ")
    body = {"metadata": {"name": NAME}, "spec": group_spec(successWhen="result ==").dump()}
    with pytest.raises(ManifestError, match="line 1, column 10"):
        check(Manifest("a.yaml", NAME, body))


async def test_an_item_that_says_it_failed_is_failed_and_retried(tmp_path: Path) -> None:
    """Echo returns [[arguments], {}]."""
    tasks = [{"task": "chains.echo", "args": [number]} for number in (1, 2)]
    policy = {"limit": 1, "backoff": {"initialSeconds": 1, "maxSeconds": 1}}
    fields = {
        "tasks": tasks,
        "workers": WORKERS,
        "retryPolicy": policy,
        "successWhen": "result[0][0] > 1 && index == 1",
    }
    with redis_server() as redis:
        async with live_group(TaskGroupSpec.model_validate(fields), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs]

    assert (status.state, status.completed_indexes, status.failed_indexes) == ("Failed", "1", "0")
    assert status.failures
    assert status.failures[0].reason == Reason.SUCCESS_WHEN_FALSE
    assert status.failures[0].message == "successWhen is false: result[0][0] > 1 && index == 1"
    assert sorted(runs) == [f"{UID}.0", f"{UID}.0~1", f"{UID}.1"]
