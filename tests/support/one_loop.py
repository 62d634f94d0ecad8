"""One event loop for all worlds in memory: with a loop each, thousands of lives would cost more than their looks."""

import asyncio
import atexit
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What it returns, when it has ended."""
    return _LOOP.run_until_complete(work)
