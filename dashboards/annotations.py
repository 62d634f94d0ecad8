"""Marks on every graph where a TaskGroup began and ended.

The value of the series is the time of the mark, in milliseconds: Grafana reads it so with `useValueForTime`.
"""

from dataclasses import dataclass

from dashboards.promql import highest, select
from dashboards.variables import SOURCE
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import COMPLETION, GROUP_LABELS, START


class TimedAnnotation(AnnotationQuery):
    """The fields of Prometheus' annotations that the kit's own class does not know."""

    title_format: str = ""

    def to_json(self) -> dict[str, object]:
        """With them."""
        return {
            **super().to_json(),
            "step": "60s",
            "tagKeys": ",".join(GROUP_LABELS),
            "titleFormat": self.title_format,
            "useValueForTime": "on",
        }


@dataclass(frozen=True, slots=True)
class _Marks(Builder[AnnotationQuery]):
    name: str
    metric: Metric
    matchers: tuple[str, ...]
    color: str
    is_shown: bool

    def build(self) -> AnnotationQuery:
        made = TimedAnnotation(
            name=self.name,
            datasource=SOURCE,
            enable=self.is_shown,
            icon_color=self.color,
            expr=f"{highest(select(self.metric, *self.matchers), *GROUP_LABELS)} * 1000",
        )
        made.title_format = "{{namespace}}/{{taskgroup}}: " + self.name.lower()
        return made


def starts_and_ends(*matchers: str, is_shown: bool = True) -> tuple[Builder[AnnotationQuery], ...]:
    """A mark for the start and one for the end of each of these groups; where there may be many, off at first."""
    return (
        _Marks("Group started", START, matchers, "blue", is_shown),
        _Marks("Group ended", COMPLETION, matchers, "purple", is_shown),
    )
