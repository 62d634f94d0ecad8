"""A spec's items made ready to run: everything about them is checked before the first one is sent."""

from collections.abc import Generator
from typing import Any

from taskgroup.api.signature import CallbackInput
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.chunking import chunking_of
from taskgroup.core.items.placeholders import NO_BEFORE, NOT_YET
from taskgroup.core.items.signatures import chains_of, chains_of_template, check_callback, hooks_of, stages_of
from taskgroup.core.items.sources import Items, items_of
from taskgroup.core.items.tasks import compile_signature, kinds_of
from taskgroup.core.items.work import Once, Work


def compile_steps(
    spec: TaskGroupSpec, group_name: str, max_message_bytes: int, before: Any = NOT_YET, external: Items | None = None
) -> Generator[None, None, Work]:
    """The spec's items, checked, in small steps; InvalidSpecError with a sentence otherwise.

    `before` is the result of spec.before, `external` see `items_of`.
    """
    if spec.before is None:
        before = NO_BEFORE
    takes_before = spec.before is not None and spec.before.prepend_result
    if spec.tasks is not None:
        items, signatures = None, spec.tasks
        chains = yield from chains_of(spec.tasks, takes_before=takes_before)
    elif spec.template is not None:
        items, signatures = (yield from items_of(spec, before, external)), [spec.template]
        chains = chains_of_template(spec.template, takes_before=takes_before)
    else:
        raise InvalidSpecError("Give spec.template, or spec.tasks with one signature for each item.")
    stages = {stage: compile_signature(signature, f"spec.{stage}") for stage, signature in stages_of(spec).items()}
    hooks = hooks_of(spec)
    check_callback(spec, chains)
    chunking = chunking_of(spec, takes_items=any(task.takes_items for chain in chains for task in chain))
    kinds = yield from kinds_of([*chains, *stages.values(), tuple(hooks.values())])
    callback_input = spec.callback.input if spec.callback else CallbackInput.NONE
    from_before = spec.items_from is not None and spec.items_from.before is not None
    once = Once(stages, hooks)
    work = Work(
        group_name, items, signatures, chains, kinds, once, callback_input, chunking, before, from_before=from_before
    )
    yield from work.check(max_message_bytes)
    return work
