"""A task of a canvas, as a TaskGroup has it and as Celery has it, for tests that compare both."""

from dataclasses import dataclass
from typing import Any

from celery import Celery, chain, group, signature


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a canvas, in the form of both sides."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    immutable: bool = False

    def ours(self) -> dict[str, Any]:
        """As in a TaskGroup."""
        options = {"immutable": True} if self.immutable else {}
        return {"task": f"chains.{self.task}", "args": [*self.args], "kwargs": dict(self.kwargs), "options": options}

    def theirs(self, client: Celery) -> Any:
        """As in Celery."""
        return signature(
            f"chains.{self.task}", args=self.args, kwargs=dict(self.kwargs), immutable=self.immutable, app=client
        )


def chains_of(parts: tuple[Any, ...]) -> list[tuple[Step, ...]]:
    """Chains of steps in their order, where a tuple of such is a group inside the group, however deep."""
    return [chain for part in parts for chain in ([part] if isinstance(part[0], Step) else chains_of(part))]


def entry(steps: tuple[Step, ...]) -> dict[str, Any]:
    """A task, or a chain of several, as in a TaskGroup."""
    return steps[0].ours() if len(steps) == 1 else {"chain": [step.ours() for step in steps]}


def group_of(parts: tuple[Any, ...], client: Celery) -> Any:
    """The same parts as Celery's group, which keeps their nesting."""
    return group([_part(part, client) for part in parts], app=client)


def _part(part: tuple[Any, ...], client: Celery) -> Any:
    if not isinstance(part[0], Step):
        return group_of(part, client)
    return part[0].theirs(client) if len(part) == 1 else chain(*(step.theirs(client) for step in part), app=client)
