"""Asks a health script as Argo CD does: Lua 5.1 with the object as `obj`, and almost nothing else."""

from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime

WITHHELD = ["coroutine", "debug", "dofile", "io", "loadfile", "math", "os", "package", "python", "require", "string"]
"""What Argo CD does not open by default, and its `os`, which tells the time. Base functions and `table` stay."""


class HealthScript:
    """A health script, ready to be asked."""

    def __init__(self, path: Path) -> None:
        self._lua = LuaRuntime(register_eval=False, register_builtins=False)
        # Where the library `string` was never opened, texts have no methods either.
        self._lua.execute("debug.setmetatable('', nil)")
        for name in WITHHELD:
            self._lua.globals()[name] = None
        self._text = path.read_text()

    def health(self, obj: dict[str, Any]) -> tuple[str, str]:
        """Status and message for an object as the API server has it; LuaError when the script fails."""
        self._lua.globals().obj = self._lua.table_from(obj, recursive=True)
        answer = self._lua.execute(self._text)
        return answer.status, answer.message
