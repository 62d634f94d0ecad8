"""Waits for a condition with a time limit; a failure shows the last state."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_STEP_SECONDS = 0.05


def eventually(
    condition: Callable[[], T],
    seconds: float,
    state: Callable[[], object] | None = None,
    *,
    step: float = _STEP_SECONDS,
) -> T:
    """Return the first true value of `condition`.

    Raises AssertionError with `state()`, or else the last value, after `seconds`. `step` is the pause between two
    calls, in seconds; it should be longer when a call makes the cluster work.
    """
    limit = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > limit:
            raise AssertionError(f"Not within {seconds:g} s. Last state: {state() if state else value!r}")
        time.sleep(step)
    return value


async def eventually_async(
    condition: Callable[[], Awaitable[T]],
    seconds: float,
    state: Callable[[], object] | None = None,
    *,
    step: float = _STEP_SECONDS,
) -> T:
    """As `eventually`, for an asynchronous condition."""
    limit = time.monotonic() + seconds
    while not (value := await condition()):
        if time.monotonic() > limit:
            raise AssertionError(f"Not within {seconds:g} s. Last state: {state() if state else value!r}")
        await asyncio.sleep(step)
    return value
