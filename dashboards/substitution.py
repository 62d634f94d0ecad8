"""Fills in the variables of a dashboard as Grafana does, so that a query can be sent to Prometheus as it stands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")
_SHORTEST_SECONDS = 15.0
_POINTS = 400


@dataclass(frozen=True, slots=True)
class Window:
    """The range of time that a dashboard shows, in seconds since 1970, and how often Prometheus reads its targets."""

    start: float
    end: float
    scrape_seconds: float = _SHORTEST_SECONDS

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    @property
    def step(self) -> float:
        """Seconds between two points of a graph: Grafana's $__interval."""
        return max(self.scrape_seconds, round(self.seconds / _POINTS))

    @property
    def rate_interval(self) -> float:
        """Grafana's $__rate_interval: so long that a counter was read in it often enough."""
        return max(self.step + self.scrape_seconds, 4 * self.scrape_seconds)

    def variables(self) -> dict[str, str]:
        """Grafana's own variables."""
        seconds = max(1, round(self.seconds))
        return {
            "__interval": duration(self.step),
            "__rate_interval": duration(self.rate_interval),
            "__range": duration(seconds),
            "__range_s": str(seconds),
            "__from": str(round(self.start * 1000)),
            "__to": str(round(self.end * 1000)),
        }


@dataclass(frozen=True, slots=True)
class Values:
    """What is chosen for each variable, ready to be filled into a query."""

    window: Window
    chosen: Mapping[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """The text with all known variables filled in; unknown ones stay."""
        known = {**self.window.variables(), **self.chosen}
        return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[0]), text)


def duration(seconds: float) -> str:
    """As PromQL writes it; at least a millisecond."""
    return f"{max(1, round(seconds * 1000))}ms"
