"""The kinds of panels that the dashboards are made of, each with a title, a meaning, a unit and a size.

A meaning says what the panel shows and what to do when it looks bad: who reads it may see it for the first time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dashboards.variables import SOURCE
from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

PanelBuilder = Builder[Panel]
_Drawn = TypeVar("_Drawn", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel)
_ROW_HEIGHT, _STAT_HEIGHT = 8, 4


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and what its series are called."""

    expression: str
    legend: str = "__auto"


@dataclass(frozen=True, slots=True)
class Look:
    """How values are shown. `limits` are colours from a value on; the first holds from the lowest value."""

    unit: str = "short"
    decimals: int | None = None
    limits: tuple[tuple[float, str], ...] = ()
    base: str = "text"
    colors: Mapping[str, str] = field(default_factory=dict)
    """Of series, by their names."""
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Text and colour to show for a value."""
    lowest: float | None = None
    most: float | None = None
    nothing: str = "-"
    """What is shown when there is no series."""


PLAIN = Look()
COUNT = "none"
"""The unit of what must read as it does in a status: 12345, not 12.3 K."""


def figure(
    title: str, meaning: str, query: Query, look: Look = PLAIN, *, width: int = 3, is_name: bool = False
) -> PanelBuilder:
    """One large figure; with `is_name` the name of the series is shown and not its value."""
    panel = (
        stat.Panel()
        .color_mode(BigValueColorMode.BACKGROUND if look.limits or is_name else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if is_name else BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _shown(panel, title, meaning, look, width, _STAT_HEIGHT).with_target(_target(0, query).instant())


def graph(
    title: str,
    meaning: str,
    queries: tuple[Query, ...],
    look: Look = PLAIN,
    *,
    width: int = 12,
    stacked: bool = False,
    bars: bool = False,
) -> PanelBuilder:
    """Lines over time, or stacked areas, or bars. Limits are drawn as dashed lines."""
    panel = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .draw_style(GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE)
        .stacking(
            common.StackingConfig().mode(StackingMode.NORMAL if stacked or bars else StackingMode.NONE).group("A")
        )
        .fill_opacity(70 if bars else 50 if stacked else 8)
        # The edge of an area of nothing would lie upon its neighbour in the wrong colour.
        .line_width(1 if bars else 0 if stacked else 2)
        .show_points(VisibilityMode.NEVER)
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                GraphThresholdsStyleMode.DASHED if look.limits else GraphThresholdsStyleMode.OFF
            )
        )
    )
    _shown(panel, title, meaning, look, width, _ROW_HEIGHT)
    for index, query in enumerate(queries):
        panel.with_target(_target(index, query).range())
    return panel


def ranking(
    title: str, meaning: str, queries: tuple[Query, ...], look: Look = PLAIN, *, width: int = 12
) -> PanelBuilder:
    """Bars beside names, the present values."""
    panel = (
        bargauge.Panel()
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .name_placement(BarGaugeNamePlacement.LEFT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    _shown(panel, title, meaning, look, width, _ROW_HEIGHT)
    for index, query in enumerate(queries):
        panel.with_target(_target(index, query).instant())
    return panel


def note(title: str, meaning: str, content: str, *, width: int = 12, height: int = _ROW_HEIGHT) -> PanelBuilder:
    """Words, in Markdown; variables in them are filled in."""
    return (
        text.Panel()
        .title(title)
        .description(meaning)
        .mode(TextMode.MARKDOWN)
        .content(content)
        .span(width)
        .height(height)
    )


def rows(title: str, meaning: str, queries: tuple[Query, ...], look: Look, *, width: int, height: int) -> table.Panel:
    """A table of present values: a column for each label and each query, named by its letter."""
    panel = _shown(table.Panel(), title, meaning, look, width, height)
    for index, query in enumerate(queries):
        panel.with_target(_target(index, query).instant().format(PromQueryFormat.TABLE))
    return panel


def letter(index: int) -> str:
    """The reference of a panel's query."""
    return chr(ord("A") + index)


def fixed_color(color: str) -> DynamicConfigValue:
    """An override that paints a field."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def _target(index: int, query: Query) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .ref_id(letter(index))
        .expr(query.expression)
        .legend_format(query.legend)
    )


def _shown(panel: _Drawn, title: str, meaning: str, look: Look, width: int, height: int) -> _Drawn:
    panel.title(title).description(meaning).datasource(SOURCE).span(width).height(height)
    panel.unit(look.unit).no_value(look.nothing).thresholds(_thresholds(look))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.lowest is not None:
        panel.min(look.lowest)
    if look.most is not None:
        panel.max(look.most)
    if look.texts:
        panel.mappings([ValueMap(options={value: _mapped(*shown) for value, shown in look.texts.items()})])
    for name, color in look.colors.items():
        panel.override_by_name(name, [fixed_color(color)])
    return panel


def _thresholds(look: Look) -> ThresholdsConfig:
    steps = [Threshold(color=look.base), *(Threshold(value=value, color=color) for value, color in look.limits)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _mapped(shown: str, color: str) -> ValueMappingResult:
    return ValueMappingResult(text=shown, color=color)
