"""A port whose calls let others go first, as requests over a network do."""

import asyncio
import inspect
from typing import Any


class Turns:
    """Everything that `port` is, with a pause before and after each of its asynchronous methods."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(0)
            answer = await found(*args, **options)
            await asyncio.sleep(0)
            return answer

        return call
