"""spec.successWhen: an item whose task returned has succeeded only when an expression over its result is true."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure
from taskgroup.core.text import shortened
from taskgroup.core.trouble import Trouble
from taskgroup.expressions.judge import shared_judge, verdicts
from taskgroup.groups.memory import Compiled

_LENGTH = 1_000


async def failures_of(expression: str, items: Sequence[tuple[int, Any]]) -> list[Failure | None]:
    """For each pair of index and result why the item has failed; None when it has not."""
    answers = await verdicts(expression, items)
    return [None if why is None else _failure(expression, why) for why in answers]


def _failure(expression: str, why: str) -> Failure:
    """Tried again like an exception: the task has run, and may do better."""
    reason = str(Reason.SUCCESS_WHEN_FALSE)
    return Failure(reason, shortened(f"successWhen {why}: {expression}", _LENGTH), kind=reason)


def checked(compiled: Compiled) -> Compiled:
    """The same, or why its expression cannot be used. Blocks."""
    spec = compiled.spec
    if spec is None or spec.success_when is None or compiled.work is None:
        return compiled
    flaw = shared_judge().flaw(spec.success_when)
    if flaw is None:
        return compiled
    trouble = Trouble(Reason.INVALID_SPEC, f"spec.successWhen: {flaw}: correct the expression.")
    return replace(compiled, work=None, invalid=trouble)
