"""A plan in words for people, and as JSON for programs."""

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from taskgroup.core.text import shortened
from taskgroup.local.preview import PlannedMessage, Preview

_WIDTH = 110
_CALL_LENGTH = 90
SERVER_ONLY = "rules about updates, pods and volumes, quotas, policies, and whether image, Secrets and tasks exist"
"""What nobody can know without a cluster."""


def as_text(plan: Preview) -> str:
    """A few short lines."""
    return "\n".join(_lines(plan))


def as_json(plans: Sequence[Preview], left_out: Sequence[str]) -> str:
    """One object; field names as in the manifest."""
    groups = [_camel(dataclasses.asdict(plan)) | {"valid": True} for plan in plans]
    return json.dumps(
        {"groups": groups, "leftOut": list(left_out), "notChecked": SERVER_ONLY}, indent=2, ensure_ascii=False
    )


def _lines(plan: Preview) -> Iterator[str]:
    yield f"TaskGroup {plan.name}: valid, as far as that can be told without a cluster"
    yield ""
    yield from (f"  {name:<11} {value}" for name, value in _figures(plan))
    yield ""
    yield f"The first {len(plan.first):,} of {plan.messages:,} messages:" if plan.first else _why_none(plan)
    yield ""
    for message in plan.first:
        yield from _message(message)
    if plan.warnings:
        yield ""
        yield "Warnings:"
        for warning in plan.warnings:
            yield from _wrapped(f"{warning.reason}: {warning.message}", "  - ")
    yield ""
    yield from _wrapped(f"Only the API server checks {SERVER_ONLY}.", "")


def _figures(plan: Preview) -> Iterator[tuple[str, str]]:
    workers, sizes = plan.workers, plan.sizes
    if plan.before:
        what = "; its result is the items" if plan.finds_items else ""
        yield "before", f"{' | '.join(plan.before)}, once, before all items{what}"
    if not plan.finds_items:
        yield "items", f"{plan.items:,}"
        yield "messages", f"{plan.messages:,}{_per_item(plan)}"
        part = f" (of {sizes.measured:,} that were measured)" if sizes.measured < plan.messages else ""
        yield "bytes", f"{sizes.average:,} on average, {sizes.largest:,} at most{part}"
        yield "priorities", ", ".join(f"{count:,} with {priority}" for priority, count in plan.priorities.items())
    pods = f"{workers.pods:,} {'pod' if workers.pods == 1 else 'pods'} at most"
    yield "workers", f"{pods}, {workers.concurrency} items in each ({workers.pool}): {workers.slots:,} at once"
    yield "stopping", f"a pod may take {workers.grace_seconds:,} s to finish what it runs"
    if plan.parallelism is not None:
        yield "parallelism", f"{plan.parallelism:,} items in flight at most"
    if plan.rate_limit is not None:
        yield "rate", f"{plan.rate_limit} at most, over all workers"
    yield "deadline", f"{plan.deadline_seconds:,} s" if plan.deadline_seconds is not None else "none"
    if plan.runs > 1:
        yield (
            "worst case",
            f"{plan.runs:,} times (max_retries of the task + 1) runs; max_retries is 3 by Celery's default",
        )
    yield from _around(plan)


def _around(plan: Preview) -> Iterator[tuple[str, str]]:
    """What runs besides the items' own tasks."""
    if plan.callback:
        yield "callback", f"{' | '.join(plan.callback)}, once, when {plan.callback_when}"
    if plan.on_item_success:
        yield "hook", f"{' | '.join(plan.on_item_success)}, once for each item that has succeeded"
    if plan.on_item_failure:
        yield "hook", f"{' | '.join(plan.on_item_failure)}, once for each item that has failed"
    if plan.on_failure:
        yield "on failure", f"{' | '.join(plan.on_failure)}, once, when the group has failed"


def _why_none(plan: Preview) -> str:
    if plan.finds_items:
        return "Nobody knows the messages of the items before spec.before has run."
    return "No messages are shown."


def _per_item(plan: Preview) -> str:
    if plan.chunk_size > 1:
        return f", with {plan.chunk_size:,} items each"
    if plan.messages == plan.items:
        return ", one for each item"
    return ", one for each step of each item's chain"


def _message(message: PlannedMessage) -> Iterator[str]:
    yield f"  {message.id}  {_call(message)}"
    indent = " " * (len(message.id) + 4)
    if message.after:
        what = "its result goes in front of the args" if message.takes_result else "its result is not used"
        yield f"{indent}after {message.after}; {what}"
    if message.options:
        options = json.dumps(message.options, ensure_ascii=False)
        yield f"{indent}options {shortened(options, _CALL_LENGTH)}"


def _call(message: PlannedMessage) -> str:
    """As in Python, with values in JSON."""
    args = [json.dumps(value, ensure_ascii=False) for value in message.args]
    kwargs = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in message.kwargs.items()]
    taken = ["…"] if message.takes_result else []
    return shortened(f"{message.task}({', '.join([*taken, *args, *kwargs])})", _CALL_LENGTH)


def _wrapped(text: str, mark: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))


def _camel(value: Any) -> Any:
    """Names of our own fields; what the user wrote stays as it is."""
    own = {to_camel(name): part for name, part in value.items()}
    own["priorities"] = {str(priority): count for priority, count in value["priorities"].items()}
    own["sizes"] = dict(value["sizes"])
    own["workers"] = {to_camel(name): part for name, part in value["workers"].items()}
    own["first"] = [{to_camel(name): part for name, part in message.items()} for message in value["first"]]
    own["warnings"] = [dict(warning) for warning in value["warnings"]]
    return own
