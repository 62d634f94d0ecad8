"""The work of a spec at once: the operator makes it in small steps, between which others have their turn."""

from typing import Any

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.items.compilation import compile_steps
from taskgroup.core.items.placeholders import NOT_YET
from taskgroup.core.items.sources import Items
from taskgroup.core.items.work import MAX_MESSAGE_BYTES, Work


def compile_work(
    spec: TaskGroupSpec,
    group_name: str,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    before: Any = NOT_YET,
    external: Items | None = None,
) -> Work:
    """InvalidSpecError with a sentence when the spec cannot be run."""
    steps = compile_steps(spec, group_name, max_message_bytes, before, external)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            work: Work = end.value
            return work
