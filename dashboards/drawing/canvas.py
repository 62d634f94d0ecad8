"""The sheet that a dashboard is drawn on, measured in dots from the top left, as Grafana's grid is."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dashboards.drawing.theme import BACKGROUND, DOTS, NORMAL, TEXT
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.textpath import text_to_path
from PIL import Image

_ELLIPSIS = "…"
_COLORS = 256
_POINTS = 72
"""Of an inch."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the sheet."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """What is left of it within these margins."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


class Canvas:
    """One picture."""

    def __init__(self, width: float, height: float) -> None:
        self._width, self._height = width, height
        self._figure = Figure(figsize=(width / DOTS, height / DOTS), dpi=DOTS, facecolor=BACKGROUND)
        FigureCanvasAgg(self._figure)
        self._sheet = self._figure.add_axes((0, 0, 1, 1), zorder=-1)
        self._sheet.set_xlim(0, width)
        self._sheet.set_ylim(height, 0)
        self._sheet.axis("off")

    def axes(self, box: Box) -> Axes:
        """A system of coordinates for a graph."""
        place = (
            box.x / self._width,
            1 - (box.y + box.height) / self._height,
            box.width / self._width,
            box.height / self._height,
        )
        axes = self._figure.add_axes(place)
        axes.patch.set_alpha(0)
        return axes

    def fill(self, box: Box, color: str, border: str = "none", rounding: float = 0) -> None:
        """A filled rectangle."""
        place, width, height = (box.x, box.y), box.width, box.height
        if rounding:
            style = f"round,pad=0,rounding_size={rounding}"
            self._sheet.add_patch(
                FancyBboxPatch(place, width, height, boxstyle=style, facecolor=color, edgecolor=border)
            )
        else:
            self._sheet.add_patch(Rectangle(place, width, height, facecolor=color, edgecolor=border))

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float = NORMAL,
        color: str = TEXT,
        align: str = "left",
        *,
        is_bold: bool = False,
        is_code: bool = False,
    ) -> None:
        """One line of text; y is the middle of its height."""
        font = _font(size, is_bold=is_bold, is_code=is_code)
        self._sheet.text(
            x, y, text, color=color, ha=align, va="center_baseline", fontproperties=font, parse_math=False, clip_on=True
        )

    def length(self, text: str, size: float = NORMAL, *, is_bold: bool = False, is_code: bool = False) -> float:
        """How wide a text is, in dots."""
        font = _font(size, is_bold=is_bold, is_code=is_code)
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
        return width * DOTS / _POINTS

    def cut(self, text: str, room: float, size: float = NORMAL, *, is_bold: bool = False) -> str:
        """As much of the text as there is room for."""
        if self.length(text, size, is_bold=is_bold) <= room:
            return text
        while text and self.length(text + _ELLIPSIS, size, is_bold=is_bold) > room:
            text = text[:-1]
        return text.rstrip() + _ELLIPSIS

    def largest(self, text: str, room: float, size: float, *, is_bold: bool = False) -> float:
        """The largest size up to this one with which a text fits."""
        needed = self.length(text, size, is_bold=is_bold)
        return size if needed <= room else size * room / needed

    def save(self, path: Path) -> None:
        """Write it as PNG. A palette makes it a third as large; this one keeps colours that are rare."""
        drawn = BytesIO()
        self._figure.savefig(drawn, dpi=DOTS, facecolor=BACKGROUND, format="png")
        with Image.open(drawn) as picture:
            picture.convert("RGB").quantize(_COLORS, Image.Quantize.FASTOCTREE).save(path, optimize=True)


def _font(size: float, *, is_bold: bool, is_code: bool) -> FontProperties:
    family = "DejaVu Sans Mono" if is_code else "DejaVu Sans"
    return FontProperties(family=family, size=size, weight="bold" if is_bold else "normal")
