"""Those CEL rules of the definition that decide what is run, for use where no API server is; the API server has more.

The names and messages are those of the definition, so that both say the same. Rules about updates, about pods and about
volumes are left to the API server.
"""

from collections.abc import Iterator

from taskgroup.api.items_from import PLACES
from taskgroup.api.names import NAME_MAX_LENGTH
from taskgroup.api.signature import Signature, StepOptions, Template
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.workers import Pool

_HARD_POOLS = (Pool.PREFORK, Pool.GEVENT)


def broken_rule(name: str, spec: TaskGroupSpec) -> str | None:
    """Where the first one is broken and what it says; None when all hold."""
    return next(_broken(name, spec), None)


def _broken(name: str, spec: TaskGroupSpec) -> Iterator[str]:
    if len(name) > NAME_MAX_LENGTH:
        yield f"metadata.name: the name must have at most {NAME_MAX_LENGTH} characters"
    if "." in name:
        yield "metadata.name: the name must not contain dots"
    yield from _of_sources(spec)
    yield from _beside_group(spec.template)
    if spec.workers.pool is Pool.SOLO and spec.workers.concurrency != 1:
        yield "spec.workers: pool solo runs one item at a time: set concurrency to 1, or use another pool"
    policy = spec.success_policy
    if policy and (policy.succeeded_count is None) == (policy.succeeded_percent is None):
        yield "spec.successPolicy: successPolicy has exactly one of succeededCount, succeededPercent"
    for where, signature in _signatures(spec):
        yield from _of_signature(where, signature, spec.workers.pool)


def _of_sources(spec: TaskGroupSpec) -> Iterator[str]:
    if sum(source is not None for source in (spec.items, spec.sequence, spec.matrix, spec.items_from, spec.tasks)) != 1:
        yield "spec: give exactly one of items, sequence, matrix, itemsFrom and tasks"
    if (spec.template is None) == (spec.tasks is None):
        yield (
            "spec: items, sequence, matrix and itemsFrom need a template, and tasks must have none: each of them is a"
            " signature itself"
        )
    if spec.items_from is not None and len(spec.items_from.places) != 1:
        yield f"spec.itemsFrom: give exactly one of {', '.join(PLACES)}"
    if spec.items_from is not None and not spec.items_from.is_external and spec.before is None:
        yield "spec: itemsFrom.before needs spec.before, whose result is the list of items"
    if spec.chunk_size != 1 and spec.tasks is not None:
        yield "spec: chunkSize needs a template: tasks have one item each"


def _signatures(spec: TaskGroupSpec) -> Iterator[tuple[str, Signature]]:
    if spec.template is not None:
        yield from spec.template.places()
    if spec.before is not None:
        yield "spec.before", spec.before
    if spec.callback is not None:
        yield "spec.callback", spec.callback
    for index, signature in enumerate(spec.tasks or ()):
        yield f"spec.tasks[{index}]", signature


def _beside_group(template: Template | None) -> Iterator[str]:
    if template is None or template.group is None:
        return
    if template.task is not None or template.chain is not None:
        yield "spec.template: give a task, a chain of tasks, or a group of such"
    if template.model_fields_set & {"args", "kwargs", "options"}:
        yield "spec.template: args, kwargs and options belong to a task: give them to the tasks of the chain or group"


def _of_signature(where: str, signature: Signature, pool: Pool) -> Iterator[str]:
    if (signature.task is None) == (signature.chain is None):
        yield f"{where}: give a task, or a chain of tasks"
    if signature.chain is None:
        yield from _of_options(f"{where}.options", signature.options, pool)
        return
    if signature.model_fields_set & {"args", "kwargs", "options"}:
        yield f"{where}: args, kwargs and options belong to a task: give them to the tasks of the chain"
    for step, leaf in enumerate(signature.chain):
        yield from _of_options(f"{where}.chain[{step}].options", leaf.options, pool)


def _of_options(where: str, options: StepOptions, pool: Pool) -> Iterator[str]:
    hard, soft = options.time_limit_seconds, options.soft_time_limit_seconds
    if hard is not None and soft is not None and soft >= hard:
        yield f"{where}: softTimeLimitSeconds must be smaller than timeLimitSeconds"
    if hard is not None and pool not in _HARD_POOLS:
        yield f"{where}: timeLimitSeconds needs workers.pool prefork or gevent: the other pools ignore it"
    if soft is not None and pool is not Pool.PREFORK:
        yield f"{where}: softTimeLimitSeconds needs workers.pool prefork: the other pools ignore it"
