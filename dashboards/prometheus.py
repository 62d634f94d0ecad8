"""A small client of Prometheus' HTTP API: what a dashboard asks, and nothing else."""

import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

_TIMEOUT_SECONDS = 30.0


class QueryError(Exception):
    """Prometheus refused a query or could not be reached; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and values by time."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The server at a URL, without a path of the API in it."""

    url: str

    def at(self, expression: str, time: float) -> tuple[Series, ...]:
        """What an expression is at one time."""
        data = self._ask("query", {"query": expression, "time": f"{time:.3f}"})
        if data["resultType"] == "scalar":
            return (Series({}, (_point(data["result"]),)),)
        return tuple(Series(found["metric"], (_point(found["value"]),)) for found in data["result"])

    def over(self, expression: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        """What an expression is over a time."""
        limits = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        data = self._ask("query_range", {"query": expression, **limits})
        return tuple(Series(found["metric"], tuple(map(_point, found["values"]))) for found in data["result"])

    def label_values(self, selector: str, label: str, start: float, end: float) -> tuple[str, ...]:
        """The values of a label among the series that were there at some time in between, in order."""
        parameters = {"match[]": selector, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        found: list[str] = self._ask(f"label/{quote(label)}/values", parameters, "GET")
        return tuple(sorted(found))

    def _ask(self, path: str, parameters: dict[str, str], method: str = "POST") -> Any:
        encoded = urlencode(parameters)
        url = f"{self.url.rstrip('/')}/api/v1/{path}" + (f"?{encoded}" if method == "GET" else "")
        if not url.startswith(("http://", "https://")):
            raise QueryError(f"{self.url} is no http URL: name Prometheus as http://host:9090.")
        request = Request(url, data=None if method == "GET" else encoded.encode(), method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except HTTPError as error:
            raise QueryError(_reason(error)) from error
        except (URLError, TimeoutError) as error:
            raise QueryError(f"Prometheus at {self.url} did not answer: {error}.") from error


def _point(pair: list[Any]) -> tuple[float, float]:
    value = float(pair[1])
    return float(pair[0]), value if math.isfinite(value) else math.nan


def _reason(error: HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError):
        return f"{error.code}: {text[:200]}"
