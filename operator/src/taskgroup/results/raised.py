"""Reads a traceback as Python prints it: what the exception at its end says, and where that was raised."""

import itertools
import re
from dataclasses import dataclass

FRAMES = 5
LENGTH = 1_000
"""Most characters of an excerpt."""
_BEGIN = "Traceback (most recent call last):\n"
_FRAME = re.compile(r'^  File "([^"\n]*)", line \d+', re.MULTILINE)
_MARKS = re.compile(r"^[ ~^]+$")
"""Lines under the code that point at a part of it."""
_EXCEPTION = re.compile(r"[^\W\d][\w.<>]*(?:: ?(.*))?", re.DOTALL)
_CELERY = re.compile(r"/(celery|billiard|kombu|vine)/[^\n]*$")


@dataclass(frozen=True, slots=True)
class Raised:
    """What a traceback says; all of it is empty when it says nothing."""

    message: str = ""
    """The text of the exception, without its class."""
    excerpt: str = ""
    """The last frames, without those of Celery above them."""


def read_traceback(text: str | None) -> Raised:
    """Of several exceptions that led to each other the last one."""
    _, begin, block = (text or "").rpartition(_BEGIN)
    starts = [match.start() for match in _FRAME.finditer(block)]
    if not begin or not starts:
        return Raised()
    last, exception = _split(block[starts[-1] :])
    frames = [block[start:end] for start, end in itertools.pairwise(starts)]
    found = _EXCEPTION.fullmatch(exception)
    return Raised((found[1] or "").strip() if found else "", _excerpt([*frames, last]))


def _split(end: str) -> tuple[str, str]:
    """The last frame, and the exception below it, whose text may have several lines."""
    lines = end.splitlines()
    count = next((number for number, line in enumerate(lines) if not line.startswith(" ")), len(lines))
    return "\n".join(lines[:count]), "\n".join(lines[count:]).rstrip()


def _excerpt(frames: list[str]) -> str:
    own = next((number for number, frame in enumerate(frames) if not _is_celery(frame)), len(frames))
    shown = [_plain(frame) for frame in frames[own:][-FRAMES:]]
    while len(shown) > 1 and len("\n".join(shown)) > LENGTH:
        shown.pop(0)
    return "\n".join(shown)[:LENGTH]


def _is_celery(frame: str) -> bool:
    match = _FRAME.match(frame)
    return match is not None and _CELERY.search(match[1]) is not None


def _plain(frame: str) -> str:
    lines = [line.removeprefix("  ").rstrip() for line in frame.splitlines()]
    return "\n".join(line for line in lines if line and not _MARKS.match(line))
