"""The user's spec, read: either something that can be run, or a sentence that says what to change.

A large spec takes seconds to read. That happens in slices between which every other group has its turn, so that no
tenant's spec delays another's.
"""

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from taskgroup.api.names import Reason
from taskgroup.api.signature import Signature
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.workers import Pool
from taskgroup.broker.envelope import check_headers
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.groups import retrying, success
from taskgroup.core.items.compilation import compile_steps
from taskgroup.core.items.external import external_items
from taskgroup.core.items.handover import Head
from taskgroup.core.items.limits import check_limits
from taskgroup.core.items.placeholders import NOT_YET
from taskgroup.core.items.work import MAX_MESSAGE_BYTES, Work
from taskgroup.core.json_limits import Flaw, find_flaw
from taskgroup.core.meta import Meta
from taskgroup.core.trouble import Trouble
from taskgroup.expressions.judge import in_turn
from taskgroup.groups.memory import Compiled
from taskgroup.groups.success_when import checked

SLICE_SECONDS = 0.005
_TASKS_AT_ONCE = 200
_WHERE_LENGTH = 200
_SENTENCE_LENGTH = 2_000


class Compiler:
    """Compiles the specs of all groups, one slice of one spec at a time."""

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_message_bytes = max_message_bytes
        self._turn = asyncio.Lock()

    async def compile(self, compiled: Compiled | None, meta: Meta, spec: Mapping[str, Any]) -> Compiled:
        """What is compiled of this generation already, or the spec compiled."""
        if compiled is not None and compiled.generation == meta.generation:
            return compiled
        return await self._compiled(compile_spec(meta.generation, dict(spec), meta.name, self._max_message_bytes))

    async def complete(self, compiled: Compiled, meta: Meta, result: Any) -> Compiled:
        """The same with the result of spec.before."""
        if compiled.spec is None:
            return compiled
        return await self._compiled(complete_spec(compiled, meta.name, self._max_message_bytes, result))

    async def with_source(self, compiled: Compiled, meta: Meta, head: Head, pieces: Sequence[bytes]) -> Compiled:
        """The same with the items that were read for spec.itemsFrom."""
        return await self._compiled(source_steps(compiled, meta.name, self._max_message_bytes, head, pieces))

    async def _compiled(self, steps: Generator[None, None, Compiled]) -> Compiled:
        # Most specs need less than a slice, and are not kept waiting by those that need many.
        finished = _advance(steps)
        while finished is None:
            async with self._turn:
                finished = _advance(steps)
                await asyncio.sleep(0)
        has_expression = finished.spec is not None and finished.spec.success_when is not None
        return await in_turn(checked, finished) if has_expression else finished


def _advance(steps: Generator[None, None, Compiled]) -> Compiled | None:
    """As many steps as fit into a slice; None when there are more."""
    end = time.perf_counter() + SLICE_SECONDS
    try:
        while time.perf_counter() < end:
            next(steps)
    except StopIteration as stop:
        compiled: Compiled = stop.value
        return compiled
    return None


def finished(steps: Generator[None, None, Compiled]) -> Compiled:
    """All steps at once, where nobody else waits for a turn."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            compiled: Compiled = end.value
            return compiled


def compile_spec(
    generation: int, spec: dict[str, Any], name: str, max_message_bytes: int
) -> Generator[None, None, Compiled]:
    """Reads and checks, in small steps, everything that can be checked without looking outside."""
    flaw = yield from find_flaw(spec)
    if flaw is not None:
        return _invalid(generation, _flaw_sentence(flaw))
    try:
        parsed = yield from _parsed(spec)
    except ValidationError as error:
        return _invalid(generation, _sentence(error))
    if parsed.items_from is not None and parsed.items_from.is_external:
        return Compiled(generation, parsed)
    return (yield from complete_spec(Compiled(generation, parsed), name, max_message_bytes))


def source_steps(
    compiled: Compiled, name: str, max_message_bytes: int, head: Head, pieces: Sequence[bytes]
) -> Generator[None, None, Compiled]:
    """The work of a spec whose items were read elsewhere; in small steps."""
    try:
        external = yield from external_items(head, pieces)
    except InvalidSpecError as error:
        return replace(compiled, invalid=Trouble(Reason.SOURCE_UNREADABLE, str(error)))
    return (yield from complete_spec(replace(compiled, external=external), name, max_message_bytes))


def complete_spec(
    compiled: Compiled, name: str, max_message_bytes: int, before: Any = NOT_YET
) -> Generator[None, None, Compiled]:
    """The work of a spec that was read, with the result of spec.before once it is known; in small steps."""
    spec = compiled.spec
    if spec is None:
        return compiled
    try:
        work = yield from compile_steps(spec, name, max_message_bytes, before, compiled.external)
        yield from _check_kinds(work, spec.workers.pool)
    except InvalidSpecError as error:
        return replace(compiled, work=None, invalid=Trouble(Reason.INVALID_TEMPLATE, str(error)))
    flaw = retrying.flaw(spec) or (None if work.awaits_items else success.flaw(spec, work.total))
    if flaw:
        return replace(compiled, work=None, invalid=Trouble(Reason.INVALID_SPEC, flaw))
    return replace(compiled, work=work, invalid=None)


def _parsed(spec: dict[str, Any]) -> Generator[None, None, TaskGroupSpec]:
    """Tasks come in parts: the rest takes no time, whatever it holds."""
    tasks = spec.get("tasks")
    if not isinstance(tasks, list):
        return TaskGroupSpec.model_validate(spec)
    signatures: list[Any] = []
    for start in range(0, len(tasks), _TASKS_AT_ONCE):
        try:
            signatures += [Signature.model_validate(task) for task in tasks[start : start + _TASKS_AT_ONCE]]
        except ValidationError:
            # Read as a whole, so that the error names the task's place.
            return TaskGroupSpec.model_validate(spec)
        yield
    return TaskGroupSpec.model_validate({**spec, "tasks": signatures})


def _invalid(generation: int, sentence: str) -> Compiled:
    return Compiled(generation, invalid=Trouble(Reason.INVALID_SPEC, sentence))


def _check_kinds(work: Work, pool: Pool) -> Generator[None, None, None]:
    """Headers that would overwrite Celery's, and limits that nobody would keep, are refused before anything starts."""
    for leaf in work.kinds:
        check_headers(leaf)
        check_limits(leaf, pool)
        yield


def _flaw_sentence(flaw: Flaw) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in flaw.path)
    return f"spec{where[:_WHERE_LENGTH]}: {flaw.sentence}"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"spec.{where[:_WHERE_LENGTH]}: {first['msg'][:_SENTENCE_LENGTH]}. Correct it in the TaskGroup."
