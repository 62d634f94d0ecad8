"""One task of a signature, compiled once and then filled for each item."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from taskgroup.api.signature import Leaf, Signature
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.items.placeholders import BEFORE, ITEMS, NOT_YET, Filler, Occurrences, Scope, compile_value
from taskgroup.core.items.sizes import FilledSize, filled_size

_ENVELOPE_BYTES = 1_024
"""A message without its arguments, headers and names."""


@dataclass(slots=True)
class Call:
    """One unit, ready to be sent: its task and the filled arguments; not frozen, as there is one for each message."""

    leaf: Leaf
    args: list[Any]
    kwargs: dict[str, Any]
    takes_result: bool = False
    """The result of the step before goes in front of the arguments."""


@dataclass(frozen=True, slots=True)
class CompiledTask:
    """A leaf whose placeholders were found."""

    leaf: Leaf
    args: Filler | None
    kwargs: Filler | None
    size: FilledSize
    overhead_bytes: int
    """Of the message, besides the arguments."""
    takes_result: bool
    takes_items: bool = False
    """It has $(items), a list."""
    takes_before: bool = False
    """The result of spec.before goes in front of the arguments."""
    uses_before: bool = False
    """It is among them."""

    def fill(self, scope: Scope) -> Call:
        """For one item; InvalidSpecError when a placeholder finds nothing."""
        leaf = self.leaf
        args = self.args(scope) if self.args else leaf.args or []
        if self.takes_before and scope.before is not NOT_YET:
            args = [scope.before, *args]
        kwargs = self.kwargs(scope) if self.kwargs else leaf.kwargs or {}
        return Call(leaf, args, kwargs, self.takes_result)

    def message_bytes(self, scope: Scope) -> int:
        """How long the message is, besides a result that it takes."""
        return self.message_of(self.size.bytes_for(scope))

    def message_of(self, arguments: int) -> int:
        """How long it is with so many bytes of arguments, which travel in base64."""
        return self.overhead_bytes + arguments * 4 // 3


Chain = tuple[CompiledTask, ...]
"""The tasks of a signature, in their order; most have one."""


def compile_signature(signature: Signature | Leaf, where: str, *, takes_before: bool = False) -> Chain:
    """InvalidSpecError, which names `where`, when it cannot be run; `takes_before` is said of the first task."""
    try:
        leaves = signature.leaves()
    except ValueError as error:
        raise InvalidSpecError(f"{where}: {error}") from None
    if len(leaves) == 1:
        chain: Chain = (_compile(leaves[0], where, takes_result=False),)
    else:
        chain = tuple(
            _compile(leaf, f"{where}.chain[{step}]", takes_result=step > 0 and not leaf.options.immutable)
            for step, leaf in enumerate(leaves)
        )
    if takes_before and not leaves[0].options.immutable:
        return (replace(chain[0], takes_before=True), *chain[1:])
    return chain


def _compile(leaf: Leaf, where: str, *, takes_result: bool) -> CompiledTask:
    occurrences = Occurrences()
    arguments = [leaf.args or [], leaf.kwargs or {}]
    args, kwargs = (compile_value(value, occurrences) for value in arguments)
    names = [leaf.task, leaf.options.shadow, leaf.options.headers]
    overhead = _ENVELOPE_BYTES + len(orjson.dumps(names))
    size = filled_size(arguments, occurrences, where)
    uses_before = any(name.split(".")[0] == BEFORE for name in occurrences.lookups)
    has_items = ITEMS in occurrences.lookups
    return CompiledTask(leaf, args, kwargs, size, overhead, takes_result, has_items, uses_before=uses_before)


def kinds_of(chains: list[Chain]) -> Generator[None, None, tuple[Leaf, ...]]:
    """One leaf for each different pair of task and options, in small steps."""
    kinds: dict[tuple[str, str], Leaf] = {}
    for chain in chains:
        for task in chain:
            kinds[task.leaf.task, task.leaf.options.model_dump_json()] = task.leaf
        yield
    return tuple(kinds.values())
