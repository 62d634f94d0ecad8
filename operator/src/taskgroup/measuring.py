"""Who is told what the parts do, and which values the metrics read from which part; beside `main`, which makes them."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

from taskgroup.cluster import request_metrics as cluster
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.request_metrics import RequestMetrics
from taskgroup.connections.shared import Connections
from taskgroup.leadership import Leadership
from taskgroup.loops import metrics as loops
from taskgroup.loops.budget import WriteBudget
from taskgroup.loops.metrics import Metrics
from taskgroup.results import port as results
from taskgroup.results.port import SweepMetrics
from taskgroup.serve.metrics import operator_metrics as names
from taskgroup.serve.metrics.readings import Readings
from taskgroup.serve.metrics.recorder import Recorder
from taskgroup.settings import Settings
from taskgroup.transport import call_metrics as transport
from taskgroup.transport.call_metrics import CallMetrics


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told by loops, cluster, results and transport: the recorder, or nobody where nothing is served."""

    loops: Metrics
    cluster: RequestMetrics
    results: SweepMetrics
    transport: CallMetrics


def told(metrics: Recorder, settings: Settings) -> Told:
    """As the settings say."""
    if settings.metrics_port:
        return Told(metrics, metrics, metrics, metrics)
    return Told(loops.UNMEASURED, cluster.UNMEASURED, results.UNMEASURED, transport.UNMEASURED)


def measure_process(readings: Readings, leadership: Leadership) -> None:
    """What a standby shows, too."""
    packages = ("taskgroup-operator", "kopf", "celery")
    labels = (version(packages[0]), platform.python_version(), *map(version, packages[1:]))
    readings.add_labelled(names.BUILD, lambda: {labels: 1})
    readings.add(names.LEADER, lambda: leadership.leads)
    readings.add(names.LEASE_TRANSITIONS, lambda: leadership.transitions)


def measure_leader(metrics: Recorder, client: Cluster, connections: Connections, budget: WriteBudget) -> None:
    """What only the leader has."""
    readings = metrics.readings
    readings.add_labelled(names.GROUPS, metrics.census.counts)
    readings.add(names.SHOWN, lambda: metrics.groups.count)
    readings.add(names.HIDDEN, lambda: metrics.groups.hidden_count)
    readings.add(names.LEDGER_UNSAVED, metrics.unsaved_seconds)
    readings.add(names.BUDGET_WAITING, lambda: budget.waiting)
    readings.add(names.BUDGET_DELAYED, lambda: budget.delayed)
    readings.add(names.API_WAITING, lambda: client.turns.waiting)
    readings.add(names.SWEEP_ITEMS, lambda: sum(sweeper.asked for sweeper in connections.sweepers()))
    readings.add(names.COUNTS_AGE, lambda: max((sweeper.age for sweeper in connections.sweepers()), default=0.0))
    readings.add(names.REDIS_SERVERS, lambda: len(connections.sweepers()))
    readings.add(names.REDIS_UNREACHABLE, lambda: sum(sweeper.fails for sweeper in connections.sweepers()))
