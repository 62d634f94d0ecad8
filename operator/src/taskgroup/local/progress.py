"""What a person sees while a group runs on this machine: one line of progress, and warnings above it."""

from typing import TextIO

from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.plan import Event

_CLEAR = "\r\x1b[K"


class Progress:
    """Writes to a terminal, where the line changes in place, or to a file, where each change is a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._shown = ""

    def show(self, status: TaskGroupStatus) -> None:
        """The line of this status, unless it is the one that is there."""
        line = line_of(status)
        if line == self._shown:
            return
        self._shown = line
        self._write(f"{_CLEAR}{line}" if self._in_place else f"{line}\n")

    def tell(self, event: Event) -> None:
        """Warnings only: the rest can be seen."""
        if event.warning:
            self.say(f"{event.reason}: {event.message}")

    def say(self, text: str) -> None:
        """A line of its own, above that of the progress."""
        if self._in_place:
            self._write(f"{_CLEAR}{text}\n{self._shown}")
        else:
            self._write(f"{text}\n")

    def end(self) -> None:
        """Nothing more will be shown."""
        if self._in_place and self._shown:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def line_of(status: TaskGroupStatus) -> str:
    """As `37/100 succeeded, 2 failed, 12/s`."""
    state = status.state or "Pending"
    if status.total is None:
        return str(state)
    parts = [f"{status.succeeded or 0:,}/{status.total:,} succeeded"]
    for count, word in ((status.retrying, "retrying"), (status.failed, "failed"), (status.cancelled, "cancelled")):
        parts += [f"{count:,} {word}"] if count else []
    parts += [status.rate] if status.rate else []
    return f"{state}: {', '.join(parts)}"
