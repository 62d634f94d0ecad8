"""The signatures of a spec: those of `tasks`, and those that run once for the group."""

from collections.abc import Generator
from dataclasses import replace

import orjson

from taskgroup.api.signature import CallbackInput, Leaf, Signature, Template
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.hooks import Hook
from taskgroup.core.items.tasks import Chain, CompiledTask, compile_signature
from taskgroup.core.stages import Stage


def check_callback(spec: TaskGroupSpec, chains: list[Chain]) -> None:
    """InvalidSpecError when it gets results that nobody keeps."""
    if spec.callback is None or spec.callback.input is not CallbackInput.RESULTS:
        return
    if any(chain[-1].leaf.options.ignore_result for chain in chains):
        raise InvalidSpecError(
            "spec.callback gets the results of the items, and options.ignoreResult deletes them: remove it, or set"
            " spec.callback.input to Summary or None."
        )


def stages_of(spec: TaskGroupSpec) -> dict[Stage, Signature | Leaf]:
    """What the spec runs once for the group."""
    given = {Stage.BEFORE: spec.before, Stage.CALLBACK: spec.callback, Stage.ON_FAILURE: spec.on_failure}
    return {stage: signature for stage, signature in given.items() if signature is not None}


def hooks_of(spec: TaskGroupSpec) -> dict[Hook, CompiledTask]:
    """What the spec runs once for each item that has ended. The one after a success takes its result."""
    given = {Hook.ON_ITEM_SUCCESS: spec.on_item_success, Hook.ON_ITEM_FAILURE: spec.on_item_failure}
    return {hook: _hook(hook, leaf) for hook, leaf in given.items() if leaf is not None}


def _hook(hook: Hook, leaf: Leaf) -> CompiledTask:
    return replace(compile_signature(leaf, f"spec.{hook}")[0], takes_result=not leaf.options.immutable)


def chains_of(signatures: list[Signature], *, takes_before: bool) -> Generator[None, None, list[Chain]]:
    """One for each entry of `tasks`; in small steps."""
    chains = []
    for index, signature in enumerate(signatures):
        chains.append(compile_signature(signature, f"spec.tasks[{index}]", takes_before=takes_before))
        yield
    return chains


def chains_of_template(template: Template, *, takes_before: bool) -> list[Chain]:
    """What runs for each item; several of a group."""
    return [compile_signature(member, where, takes_before=takes_before) for where, member in template.places()]


def signature_bytes(signature: Signature) -> bytes:
    """What tells it from another one."""
    # Defaults are left out, so that a field of a newer version does not change the digest of a running group.
    fields = signature.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
