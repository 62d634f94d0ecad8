"""Draws panels of words: the few forms of Markdown that the dashboards use."""

import re

from dashboards.drawing.canvas import Box, Canvas
from dashboards.drawing.theme import FAINT, LINK, SMALL, TEXT

_LINE = 20
_LINKED = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def draw_words(canvas: Canvas, box: Box, content: str) -> None:
    """Code as it is, in letters of one width; the rest wrapped, links in their colour."""
    y, is_code = box.y + _LINE / 2, False
    for line in content.strip().splitlines():
        if line.startswith("```"):
            is_code = not is_code
            continue
        color = TEXT if is_code else LINK if _LINKED.search(line) else FAINT
        for part in _wrapped(canvas, _LINKED.sub(r"\1", line), box.width - 24, is_code=is_code):
            canvas.write(box.x + 12, y, part, SMALL, color, is_code=is_code)
            y += _LINE


def _wrapped(canvas: Canvas, text: str, room: float, *, is_code: bool) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if canvas.length(longer, SMALL, is_code=is_code) > room and lines[-1]:
            longer = f"    {word}" if is_code else word
            lines.append(longer)
        else:
            lines[-1] = longer
    return lines
