"""What a reader chooses at the top of a dashboard, and the matchers that follow the choice."""

from dashboards.promql import select
from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import STATE

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
Variable = Builder[VariableModel]

# All namespaces includes the empty one, which holds the sum of the groups that have no series of their own.
NAMESPACES = 'namespace=~"$namespace"'
TASKGROUPS = 'taskgroup=~"$taskgroup"'
NAMED = 'namespace!=""'
NAMESPACE = 'namespace="$namespace"'
TASKGROUP = 'taskgroup="$taskgroup"'
OF_GROUP = (NAMESPACE, TASKGROUP)
JOBS = 'job=~"$job"'


def datasource() -> Variable:
    """The Prometheus that is asked."""
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def logs_datasource() -> Variable:
    """The Loki that the log links lead to; without one the links lead nowhere and the rest works."""
    return DatasourceVariable("logs").label("Logs (Loki)").type("loki")


def namespaces() -> Variable:
    """Any of the namespaces that have TaskGroups, at first all."""
    return _all(_query("namespace", "Namespace", STATE, NAMED), ".*")


def namespace() -> Variable:
    """One namespace."""
    return _query("namespace", "Namespace", STATE, NAMED)


def taskgroups() -> Variable:
    """Any of the TaskGroups of the chosen namespaces, at first all."""
    return _all(_query("taskgroup", "TaskGroup", STATE, NAMESPACES, NAMED), ".*")


def taskgroup() -> Variable:
    """One TaskGroup of the chosen namespace."""
    return _query("taskgroup", "TaskGroup", STATE, NAMESPACE)


def jobs(metric: Metric) -> Variable:
    """Any of the Services that expose this metric, at first all."""
    return _all(_query("job", "Job", metric), ".+")


def _query(name: str, label: str, metric: Metric, *matchers: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({select(metric, *matchers)}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _all(variable: QueryVariable, all_value: str) -> QueryVariable:
    everything = VariableOption(text="All", value="$__all", selected=True)
    return variable.multi(True).include_all(True).all_value(all_value).current(everything)
