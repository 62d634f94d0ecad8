"""Writes values as Grafana does: units in a panel's settings are Grafana's names of them."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

_THOUSANDS = ("", " K", " Mil", " Bil", " Tri")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_RATE = ("B/s", "kB/s", "MB/s", "GB/s", "TB/s")
_TICKS = 5
_ROUND_SECONDS = (
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    14_400.0,
    28_800.0,
)
_TIMES = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"), (86_400.0, "d"))


def ticks(low: float, high: float, unit: str, *, only_whole: bool = False) -> list[float]:
    """Round values for an axis, about five; those of times and of bytes are round in their own units."""
    wanted = (high - low) / _TICKS
    distance = next((step for step in _distances(unit, wanted) if step >= wanted), wanted)
    if only_whole:
        distance = max(1.0, distance)
    first = math.ceil(low / distance - 1e-9)
    return [number * distance for number in range(first, math.floor(high / distance + 1e-9) + 1)]


def _distances(unit: str, wanted: float) -> Iterator[float]:
    """Candidates, from small to large."""
    if unit == "s" and wanted > 1:
        yield from _ROUND_SECONDS
    base = 1024.0 ** math.floor(math.log(wanted, 1024)) if unit == "bytes" and wanted > 1 else 1.0
    power = 10.0 ** math.floor(math.log10(wanted / base))
    yield from (base * power * step for step in (1, 2, 2.5, 5, 10))


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit."""
    if math.isnan(value):
        return ""
    return _UNITS.get(unit, _short)(value, decimals)


def _number(value: float, decimals: int | None) -> str:
    """About three figures, unless it is said how many decimals there are."""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    size = abs(value)
    if 0 < size < 0.1:
        return f"{value:.2g}"
    text = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, base: float, names: tuple[str, ...], decimals: int | None) -> str:
    power = 0
    while abs(value) >= base and power < len(names) - 1:
        value, power = value / base, power + 1
    return f"{_number(value, decimals)}{names[power]}"


def _short(value: float, decimals: int | None) -> str:
    if abs(value) < 10_000:
        return _number(value, decimals)
    return _scaled(value, 1000.0, _THOUSANDS, decimals or None)


def _percent(value: float, decimals: int | None) -> str:
    return f"{_number(100 * value, decimals)} %"


def _time(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    size, name = next((pair for pair in reversed(_TIMES) if abs(value) >= pair[0]), _TIMES[0])
    return f"{_number(value / size, decimals)} {name}"


def _clock(value: float, _: int | None) -> str:
    seconds = round(abs(value))
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"-{text}" if value < -0.5 else text


def _date(value: float, _: int | None) -> str:
    return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


_UNITS: dict[str, Callable[[float, int | None], str]] = {
    "short": _short,
    "none": lambda value, decimals: f"{value:.{decimals or 0 if value == round(value) else 2}f}",
    "percentunit": _percent,
    "s": _time,
    "dthms": _clock,
    "dateTimeAsIso": _date,
    "h": lambda value, decimals: f"{_number(value, decimals)} h",
    "bytes": lambda value, decimals: _scaled(value, 1024.0, tuple(f" {name}" for name in _BINARY), decimals),
    "Bps": lambda value, decimals: _scaled(value, 1000.0, tuple(f" {name}" for name in _RATE), decimals),
}
