"""Waiting for a condition with a time limit; what was last seen goes into the failure.

No test may depend on how fast the machine is. A wait that succeeds returns at once, so its limit costs nothing and is
the same everywhere: it only ends a test that hangs. Where a duration is the subject, the times that objects tell are
compared; where something must still run when the test acts, it is held at a gate.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 240
"""Seconds after which a test gives up: many times what anything takes on an idle machine, a third of pytest's limit."""
COMMAND_SECONDS = PATIENCE + 60
"""The same for a command that may wait itself, with PATIENCE as its own limit: its words are better than ours."""
_STEP_SECONDS = 0.05


def eventually(
    condition: Callable[[], T],
    seconds: float = PATIENCE,
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
    seconds: float = PATIENCE,
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
