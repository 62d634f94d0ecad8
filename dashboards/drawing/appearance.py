"""What the settings of a panel say about one of its fields: unit, colour, text. Settings of a single field win."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.drawing.theme import PALETTE, TEXT, color_of
from dashboards.drawing.units import shown
from dashboards.queries import Panel


@dataclass(frozen=True, slots=True)
class Appearance:
    """The settings of one field."""

    settings: Mapping[str, Any]

    def text(self, value: float) -> str:
        """The value as it is written."""
        mapped = self._mapped(value).get("text")
        return str(mapped) if mapped else shown(value, self.unit, self.settings.get("decimals"))

    def color(self, value: float) -> str:
        """The colour of the value: that of its text, else the field's, else that of the limit it has reached."""
        named = self._mapped(value).get("color") or self.fixed or self._limit(value)
        return color_of(named) if named else TEXT

    @property
    def unit(self) -> str:
        """Grafana's name of the unit."""
        return str(self.settings.get("unit", "short"))

    @property
    def fixed(self) -> str:
        """The colour of the field whatever its value; empty when it has none."""
        return str((self.settings.get("color") or {}).get("fixedColor", ""))

    @property
    def limits(self) -> tuple[tuple[float, str], ...]:
        """Values from which on a colour holds, without the lowest."""
        steps = (self.settings.get("thresholds") or {}).get("steps", ())
        return tuple((step["value"], step["color"]) for step in steps if step.get("value") is not None)

    @property
    def cell(self) -> str:
        """How a table shows it."""
        return str(((self.settings.get("custom") or {}).get("cellOptions") or {}).get("type", "auto"))

    def _mapped(self, value: float) -> Mapping[str, Any]:
        for mapping in self.settings.get("mappings") or ():
            found: Mapping[str, Any] | None = mapping["options"].get(f"{value:g}")
            if found:
                return found
        return {}

    def _limit(self, value: float) -> str:
        reached = ""
        for step in (self.settings.get("thresholds") or {}).get("steps", ()):
            if step.get("value") is None or value >= step["value"]:
                reached = step["color"]
        return reached


def appearance(panel: Panel, name: str) -> Appearance:
    """The settings of the field of this name."""
    config = panel.raw.get("fieldConfig") or {}
    settings = dict(config.get("defaults") or {})
    for override in config.get("overrides") or ():
        if override["matcher"] == {"id": "byName", "options": name}:
            for entry in override["properties"]:
                _set(settings, entry["id"], entry.get("value"))
    return Appearance(settings)


def series_color(panel: Panel, name: str, index: int) -> str:
    """The colour of a line: the field's own, else the next of the palette."""
    fixed = appearance(panel, name).fixed
    return color_of(fixed) if fixed else PALETTE[index % len(PALETTE)]


def _set(settings: dict[str, Any], path: str, value: Any) -> None:
    first, _, rest = path.partition(".")
    if rest:
        settings[first] = {**(settings.get(first) or {}), rest: value}
    else:
        settings[first] = value
