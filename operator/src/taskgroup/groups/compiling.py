"""The user's spec, read: either something that can be run, or a sentence that says what to change."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.envelope import check_headers
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.work import Work, compile_work
from taskgroup.core.meta import Meta
from taskgroup.core.trouble import Trouble
from taskgroup.groups.memory import Compiled

_TOO_DEEP = (
    "Lists and objects in the spec are nested too deeply (about 250 levels are possible): pass such data as text."
)


def compile_spec(generation: int, spec: Mapping[str, Any], name: str) -> Compiled:
    """Reads and checks everything that can be checked without looking outside."""
    if _is_too_deep(spec):
        return Compiled(generation, invalid=Trouble(Reason.INVALID_SPEC, _TOO_DEEP))
    try:
        parsed = TaskGroupSpec.model_validate(dict(spec))
    except ValidationError as error:
        return Compiled(generation, invalid=Trouble(Reason.INVALID_SPEC, _sentence(error)))
    try:
        work = compile_work(parsed, name)
        _check_headers(work)
    except InvalidSpecError as error:
        return Compiled(generation, parsed, invalid=Trouble(Reason.INVALID_TEMPLATE, str(error)))
    return Compiled(generation, parsed, work)


_ONE = asyncio.Semaphore(1)
"""Several large specs at once would need their memory at once, and the interpreter runs one at a time anyway."""


async def compile_beside(compiled: Compiled | None, meta: Meta, spec: Mapping[str, Any]) -> Compiled:
    """What is compiled of this generation already, or the spec compiled in a thread: a large one takes seconds."""
    if compiled is not None and compiled.generation == meta.generation:
        return compiled
    async with _ONE:
        return await asyncio.to_thread(compile_spec, meta.generation, dict(spec), meta.name)


def _is_too_deep(spec: Mapping[str, Any]) -> bool:
    # orjson, pydantic and the workers' JSON each have a limit; this is the lowest, and finding it costs milliseconds.
    try:
        orjson.dumps(dict(spec))
    except orjson.JSONEncodeError:
        return True
    return False


def _check_headers(work: Work) -> None:
    """Headers that would overwrite Celery's are refused before anything starts."""
    for leaf in work.kinds:
        check_headers(leaf)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"spec.{where}: {first['msg']}. Correct it in the TaskGroup."
