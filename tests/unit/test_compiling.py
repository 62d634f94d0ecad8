"""The spec is read in slices: nobody's large spec holds up another's, and what cannot be carried is named."""

import asyncio
import time
from typing import Any

import pytest
from pydantic import ValidationError

from support.builders import NAME
from support.crd.objects import SPECS
from taskgroup.api.backend import Backend
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.items.work import MAX_MESSAGE_BYTES
from taskgroup.core.meta import Meta
from taskgroup.groups.compiling import Compiler, compile_spec
from taskgroup.groups.memory import Compiled

WORKERS = {"image": "shop:1", "app": "shop"}


def meta(uid: str) -> Meta:
    return Meta(uid=uid, name=NAME, namespace="shop", generation=1)


def compiled(**fields: Any) -> Compiled:
    steps = compile_spec(1, {"workers": WORKERS, **fields}, NAME, MAX_MESSAGE_BYTES)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Compiled = end.value
            return result


def of_items(*values: Any) -> Compiled:
    return compiled(items=list(values), template={"task": "t", "args": ["$(item)"]})


SMALL: dict[str, Any] = {"items": [1], "template": {"task": "t", "args": ["$(item)"]}, "workers": WORKERS}
LARGE: dict[str, dict[str, Any]] = {
    "repeated": {"items": list(range(10_000)), "template": {"task": "t", "args": ["$(item)" * 1_000]}},
    "many": {"items": list(range(100_000)), "template": {"task": "t", "args": ["$(item)"]}},
    "tasks": {"tasks": [{"task": f"t{number}", "args": ["$(index)"]} for number in range(20_000)]},
    "long numbers": {"items": [[str(10**18 + number) for number in range(50_000)]], "template": {"task": "t"}},
}


@pytest.mark.parametrize("fields", LARGE.values(), ids=LARGE)
async def test_a_small_spec_does_not_wait_for_a_large_one(fields: dict[str, Any]) -> None:
    """A thousand placeholders for each of 10,000 items took 12 s, and the specs of all other tenants waited."""
    compiler, finished = Compiler(), []
    large = asyncio.create_task(compiler.compile(None, meta("large"), {"workers": WORKERS, **fields}))
    large.add_done_callback(lambda _: finished.append("large"))
    await asyncio.sleep(0)
    small = await compiler.compile(None, meta("small"), SMALL)
    finished.append("small")

    assert small.work is not None
    assert (await large).work is not None
    assert finished == ["small", "large"]


async def test_no_slice_of_a_large_spec_holds_the_loop_for_long() -> None:
    """Relative to the whole, because machines differ: before, the whole was one slice."""
    compiler, gaps = Compiler(), []
    begin = time.perf_counter()
    work = [asyncio.create_task(compiler.compile(None, meta(key), {"workers": WORKERS, **LARGE[key]})) for key in LARGE]
    while not all(task.done() for task in work):
        before = time.perf_counter()
        await asyncio.sleep(0)
        gaps.append(time.perf_counter() - before)

    assert len(gaps) > 20
    assert max(gaps) < (time.perf_counter() - begin) / 3


async def test_a_generation_is_compiled_once() -> None:
    compiler = Compiler()
    first = await compiler.compile(None, meta("a"), SMALL)

    assert await compiler.compile(first, meta("a"), {}) is first


@pytest.mark.parametrize("number", [2**63, 18446744073709552000, 10**20, -(2**63) - 1])
def test_a_number_that_the_api_server_alters_is_named_with_its_remedy(number: int) -> None:
    """18446744073709551615 came to the task as another number, and 1e20 was said to be nested too deeply."""
    trouble = of_items("a", {"id": [number]}).invalid

    assert trouble is not None
    assert trouble.reason == Reason.INVALID_SPEC
    assert trouble.message.startswith(f"spec.items[1].id[0]: It reads {number} here")
    assert "Pass it as text, in quotes." in trouble.message


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e300, "18446744073709551615", 10**18])
def test_numbers_and_texts_that_arrive_as_they_are_do_no_harm(value: Any) -> None:
    assert of_items(value).invalid is None


def test_too_many_levels_are_told_from_too_large_numbers() -> None:
    nested: Any = 1
    for _ in range(400):
        nested = [nested]
    trouble = of_items(nested).invalid

    assert trouble is not None
    assert "nested too deeply" in trouble.message
    assert len(trouble.message) < 500


def test_a_task_that_cannot_be_read_is_named_by_its_place() -> None:
    trouble = compiled(tasks=[{"task": "a"}] * 300 + [{"task": 5}]).invalid

    assert trouble is not None
    assert trouble.message.startswith("spec.tasks.300.task: ")


MAPS = {"requests", "limits", "nodeSelector", "affinity", "podLabels", "podAnnotations", "matchLabels", "labelSelector"}
MAPS |= {"axes", "exclude", "include"}
"""Objects whose keys are the user's."""


def with_unknown_fields(value: Any) -> Any:
    """A newer definition fills in defaults wherever it knows more."""
    if isinstance(value, dict):
        known = {key: part if key in MAPS else with_unknown_fields(part) for key, part in value.items()}
        return known | {"fromTheFuture": {"a": [1]}}
    return [with_unknown_fields(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("source", ["items", "sequence", "matrix", "tasks"])
def test_fields_of_a_newer_definition_do_not_halt_a_group(source: str) -> None:
    """They were refused at any depth: after a rollback of the operator every group stood still."""
    around = ("before", "callback", "onFailure", "onItemSuccess", "onItemFailure")
    own = ("items", "template", "tasks", "chunkSize", *around)
    spec = {key: value for key, value in SPECS[source].items() if key not in own}
    work = {key: SPECS[source][key] for key in ("items",) if key in SPECS[source]}
    signature = {"task": "t", "options": {"priority": 1, "fromTheFuture": 1}, "fromTheFuture": 1}
    signatures = dict.fromkeys(("template", *around), signature)
    work |= {"tasks": [signature]} if source == "tasks" else signatures

    read = compiled(**with_unknown_fields(spec), **work)

    assert read.invalid is None
    assert read.spec is not None
    assert read.spec.broker == Backend.model_validate(SPECS[source]["broker"]), "as if they were not there"


def test_a_manifest_that_is_checked_without_a_server_may_not_have_them() -> None:
    with pytest.raises(ValidationError, match="fromTheFuture"):
        TaskGroupSpec.model_validate({**SMALL, "fromTheFuture": 1}, extra="forbid")


@pytest.mark.parametrize("pool", ["threads", "solo", "eventlet"])
def test_a_limit_in_a_chain_that_the_pool_ignores_is_refused(pool: str) -> None:
    """The API server cannot afford to look into the chains of 100,000 tasks."""
    limited = {"task": "b", "options": {"timeLimitSeconds": 5}}
    workers = {**WORKERS, "pool": pool, "concurrency": 1}

    found = compiled(tasks=[{"chain": [{"task": "a"}, limited]}], workers=workers)

    assert found.invalid is not None
    assert found.invalid.reason is Reason.INVALID_TEMPLATE
    assert found.invalid.message == (
        f"timeLimitSeconds of task b needs workers.pool prefork or gevent: {pool} ignores it."
    )


def test_a_soft_limit_in_a_chain_that_is_not_below_the_hard_one_is_refused() -> None:
    limited = {"task": "b", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 5}}

    found = compiled(tasks=[{"chain": [{"task": "a"}, limited]}])

    assert found.invalid is not None
    assert found.invalid.message == "options of task b: softTimeLimitSeconds must be smaller than timeLimitSeconds."


def test_a_limit_that_the_pool_keeps_is_taken() -> None:
    tasks = [{"chain": [{"task": "a"}, {"task": "b", "options": {"timeLimitSeconds": 5}}]}]

    assert compiled(tasks=tasks, workers={**WORKERS, "pool": "gevent"}).work is not None
