"""Asks the process of expressions, and starts it again when an expression has killed it. It blocks its thread.

An event loop asks on one thread, in turns: a tenant whose expression takes a second for each item keeps those of others
waiting for some items only, and none of the threads on which the rest of the operator relies.
"""

import asyncio
import atexit
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

_CHILD = Path(__file__).with_name("child.py")
_DIED = "takes too long, or too much memory"
_LENGTH = 300
_TURN_ITEMS = 10
"""Of one group, before the next one has its turn; each may take a second and kill the process."""
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*?)(?:\n|$)", re.DOTALL)
_Answer = TypeVar("_Answer")


class Judge:
    """One process serves all groups, one request after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def flaw(self, expression: str) -> str | None:
        """What is wrong with an expression, and where; None when it can be evaluated."""
        with self._turn:
            answers = self._ask(expression, [])
        return None if answers == [None] else _placed(answers[0] if answers else None)

    def why_not(self, expression: str, items: Sequence[tuple[int, Any]]) -> list[str | None]:
        """For each pair of index and result None when the expression holds, else what it does instead."""
        verdicts: list[str | None] = []
        with self._turn:
            while len(verdicts) < len(items):
                answers = self._ask(expression, items[len(verdicts) :])
                if answers[:1] != [None]:
                    return [*verdicts, *[_DIED] * (len(items) - len(verdicts))]
                verdicts += answers[1:]
                if len(verdicts) < len(items):
                    # The one behind the last answer has killed the process.
                    verdicts.append(_DIED)
        return verdicts

    def close(self) -> None:
        """End the process; the next question starts another one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, expression: str, items: Sequence[tuple[int, Any]]) -> list[str | None]:
        """The answers up to the last one, or to the death of the process."""
        process = self._process = self._process or _start()
        answers: list[str | None] = []
        try:
            _pipe(process.stdin).write(f"{json.dumps({'expression': expression, 'items': list(items)})}\n")
            _pipe(process.stdin).flush()
            while len(answers) <= len(items) and (line := _pipe(process.stdout).readline()):
                answers.append(json.loads(line))
                if answers[0] is not None:
                    return answers
        except BrokenPipeError:
            pass
        if len(answers) <= len(items):
            self.close()
        return answers


def _start() -> subprocess.Popen[str]:
    """With no variable of the operator: some of them are secrets."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        encoding="utf-8",
        errors="replace",
    )
    if not _pipe(process.stdout).readline():
        process.communicate()
        raise RuntimeError("The process that evaluates expressions does not start.")
    return process


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("The process that evaluates expressions has no pipe.")
    return stream


def _placed(error: str | None) -> str:
    """The first error with its place, without the lines that repeat the expression."""
    if error is None:
        return _DIED
    found = _PLACE.search(error)
    text = f"line {found[1]}, column {found[2]}: {found[3]}" if found else error
    return text[:_LENGTH].strip()


@cache
def shared_judge() -> Judge:
    """The one of this process."""
    judge = Judge()
    atexit.register(judge.close)
    return judge


@cache
def _thread() -> ThreadPoolExecutor:
    """Serves who came first."""
    return ThreadPoolExecutor(1, "expressions")


async def in_turn(ask: Callable[..., _Answer], *given: Any) -> _Answer:
    """What `ask` returns, which may block."""
    return await asyncio.get_running_loop().run_in_executor(_thread(), ask, *given)


def _why_not(expression: str, items: Sequence[tuple[int, Any]]) -> list[str | None]:
    return shared_judge().why_not(expression, items)


async def verdicts(expression: str, items: Sequence[tuple[int, Any]]) -> list[str | None]:
    """As `why_not` of the shared judge."""
    found: list[str | None] = []
    for start in range(0, len(items), _TURN_ITEMS):
        found += await in_turn(_why_not, expression, items[start : start + _TURN_ITEMS])
    return found
