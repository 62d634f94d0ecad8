"""A task of a canvas, as a TaskGroup has it and as Celery has it, for tests that compare both."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from celery import Celery, signature

T = TypeVar("T")


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


async def by_client(work: Callable[..., T], *args: Any) -> T:
    """What a client of Celery finds out, in a thread of its own.

    Results that it leaves behind end their subscriptions when they are collected, which needs a Redis that still runs.
    """
    found = await asyncio.to_thread(work, *args)
    gc.collect()
    return found
