"""Colours and sizes: Grafana's dark theme, and letters that can be read at full size."""

BACKGROUND = "#111217"
PANEL = "#1a1d23"
BORDER = "#2f343c"
GRID = "#2a2e36"
TEXT = "#e0e1e6"
FAINT = "#9fa2ad"
LINK = "#6e9fff"
UNFILLED = "#2a2e36"
_COLORS = {
    "green": "#73bf69",
    "yellow": "#fade2a",
    "red": "#f2495c",
    "blue": "#5794f2",
    "orange": "#ff9830",
    "purple": "#b877d9",
    "gray": "#8e939e",
    "text": TEXT,
}
_DARK = {
    "green": "#37872d",
    "yellow": "#a07c00",
    "red": "#c4162a",
    "blue": "#1f60c4",
    "orange": "#b3500a",
    "purple": "#7c2ea3",
    "gray": "#4b5059",
}
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#ca95e5")

# Points, at 100 dots an inch
SMALL, NORMAL, TITLE, HEADING = 9.0, 9.5, 10.5, 12.0
DOTS = 100

# Dots
WIDTH = 1600
COLUMN = WIDTH / 24
ROW = 36
GAP = 6
HEADER = 64
PADDING = 10


def color_of(name: str) -> str:
    """The colour that Grafana calls so."""
    return _COLORS.get(name, name)


def behind(color: str) -> str:
    """A darker tone of it, for white letters on it."""
    names = {shown: name for name, shown in _COLORS.items()}
    return _DARK.get(names.get(color, ""), PANEL)
