"""Workers of all groups: whether there are as many as wanted, whether they work, and what idle ones cost."""

from dashboards.annotations import starts_and_ends
from dashboards.panels import Look, PanelBuilder, Query, figure, graph, ranking
from dashboards.promql import happened, happened_in_range, highest, or_zero, select, top, total
from dashboards.tables import Column, group_table
from dashboards.variables import NAMED, NAMESPACES, TASKGROUPS, datasource, namespaces, taskgroups
from dashboards.view import Section, View
from dashboards.words import WORKER_COLORS

from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import (
    GROUP_LABELS,
    HELD,
    WORKER_RESTARTS,
    WORKER_SLOTS,
    WORKER_STARTS,
    WORKER_TROUBLE,
    WORKERS_BUSY,
    WORKERS_PRESENT,
    WORKERS_READY,
    WORKERS_WANTED,
)

_CHOSEN = (NAMESPACES, TASKGROUPS)
_NAME = "{{namespace}}/{{taskgroup}}"


def _sum(metric: Metric) -> str:
    return total(select(metric, *_CHOSEN))


def _by_group(metric: Metric) -> str:
    return highest(select(metric, *_CHOSEN), *GROUP_LABELS)


_IDLE = f"{_sum(WORKERS_READY)} - {_sum(WORKERS_BUSY)}"
_BUSY_SHARE = f"{_sum(WORKERS_BUSY)} / {_sum(WORKERS_READY)}"


def _now() -> tuple[PanelBuilder, ...]:
    return (
        figure("Wanted", "Pods that there should be, over all chosen groups.", Query(or_zero(_sum(WORKERS_WANTED)))),
        figure(
            "Ready",
            "Pods whose worker runs. Fewer than wanted for minutes: the table below says in Trouble why.",
            Query(or_zero(_sum(WORKERS_READY))),
            Look(base="green"),
        ),
        figure(
            "Busy",
            "Pods that held an item at the last look. 0 with ready pods: nothing is in the queues.",
            Query(or_zero(_sum(WORKERS_BUSY))),
            Look(base="blue"),
        ),
        figure(
            "Busy share",
            "Busy pods of the ready ones. Low for long: lower `maxReplicas`, or let items be larger.",
            Query(_BUSY_SHARE),
            Look(unit="percentunit", decimals=0, base="red", limits=((0.3, "yellow"), (0.6, "green"))),
        ),
        figure(
            "Idle pod hours",
            "Hours that ready pods spent without an item in the time shown: what idle workers cost. Much: lower"
            " `maxReplicas` of the groups in Idle pods by group.",
            Query(f"sum_over_time(({_IDLE})[$__range:1m]) / 60"),
            Look(unit="h", decimals=1),
        ),
        figure(
            "Groups in trouble",
            "Groups whose workers cannot run. The table below names them and the reason.",
            Query(or_zero(f"count({total(select(WORKER_TROUBLE, *_CHOSEN), *GROUP_LABELS)} > 0)")),
            Look(base="green", limits=((1, "red"),)),
        ),
        figure(
            "Pods started",
            "In the time shown. Many more than groups: pods come and go; see Pods that started.",
            Query(or_zero(total(happened_in_range(WORKER_STARTS, *_CHOSEN, by=GROUP_LABELS)))),
            Look(decimals=0),
        ),
        figure(
            "Restarts",
            "Containers that ended in a worker pod and were started again, in the time shown. Any: read the logs of"
            " that group's pods.",
            Query(or_zero(total(happened_in_range(WORKER_RESTARTS, *_CHOSEN, by=GROUP_LABELS)))),
            Look(decimals=0, base="green", limits=((1, "red"),)),
        ),
    )


def _over_time() -> tuple[PanelBuilder, ...]:
    counts = {"wanted": WORKERS_WANTED, "present": WORKERS_PRESENT, "ready": WORKERS_READY, "busy": WORKERS_BUSY}
    return (
        graph(
            "Pods",
            "Wanted above present: the quota or the API server refuses pods. Present above ready: pods wait for a"
            " node, an image or their start. Ready above busy: idle pods.",
            tuple(Query(_sum(metric), name) for name, metric in counts.items()),
            Look(colors=WORKER_COLORS, lowest=0),
        ),
        graph(
            "Busy share over time",
            "Busy pods of the ready ones. Below the line for long: fewer pods would do.",
            (Query(_BUSY_SHARE, "busy of ready"),),
            Look(unit="percentunit", limits=((0.3, "yellow"),), colors={"busy of ready": "blue"}, lowest=0, most=1),
        ),
        graph(
            "Idle pods by group",
            "Ready and without an item, of the ten groups that have most. Steady lines: lower `maxReplicas` of that"
            " group.",
            (Query(top(10, f"({_by_group(WORKERS_READY)} - {_by_group(WORKERS_BUSY)}) > 0"), _NAME),),
            Look(lowest=0, nothing="none is idle"),
            stacked=True,
        ),
        graph(
            "Slots beside items held",
            "How many items the wanted pods run at once, and how many they hold. Held far below: workers idle.",
            (Query(_sum(WORKER_SLOTS), "slots"), Query(_sum(HELD), "held by workers")),
            Look(colors={"slots": "gray", "held by workers": "green"}, lowest=0),
        ),
        graph(
            "Pods that started, by group",
            "In each step of the graph. The same group again and again: its pods die or are evicted; see its"
            " dashboard.",
            (Query(top(10, f"{happened(WORKER_STARTS, *_CHOSEN, by=GROUP_LABELS)} > 0"), _NAME),),
            Look(lowest=0, nothing="none started"),
            bars=True,
        ),
        graph(
            "Restarts by group",
            "Containers started again in their pod, in each step of the graph. Often too little memory: look for"
            " OOMKilled with `kubectl describe pod`.",
            (Query(top(10, f"{happened(WORKER_RESTARTS, *_CHOSEN, by=GROUP_LABELS)} > 0"), _NAME),),
            Look(lowest=0, nothing="none was restarted"),
            bars=True,
        ),
        graph(
            "Groups in trouble, by reason",
            "What keeps workers from running. ImageCannotBePulled: the image's name or its Secret. Unschedulable: no"
            " node has room. Evicted: the node was short of memory or disk.",
            (Query(f"count by (reason) ({select(WORKER_TROUBLE, *_CHOSEN)} == 1)", "{{reason}}"),),
            Look(lowest=0, nothing="none"),
            stacked=True,
        ),
        ranking(
            "Trouble now",
            "Groups by what keeps their workers from running. The table below names them.",
            (Query(f"count by (reason) ({select(WORKER_TROUBLE, *_CHOSEN)} == 1)", "{{reason}}"),),
            Look(base="orange", nothing="none"),
        ),
    )


def _pools() -> PanelBuilder:
    named = (*_CHOSEN, NAMED)
    counts = {"Wanted": WORKERS_WANTED, "Present": WORKERS_PRESENT, "Ready": WORKERS_READY, "Busy": WORKERS_BUSY}
    there = f"({_by_group(WORKERS_WANTED)} > 0 or {_by_group(WORKERS_PRESENT)} > 0)"

    def of_pools(expression: str) -> str:
        return f"({expression}) and on ({', '.join(GROUP_LABELS)}) {there}"

    def count(metric: Metric) -> str:
        return highest(select(metric, *named), *GROUP_LABELS)

    return group_table(
        "Pools",
        "Each group that has or wants workers; the name leads to its dashboard. The rows with most idle"
        " pods first; Trouble says what keeps a group's workers from running.",
        (
            *(Column(name, of_pools(count(metric))) for name, metric in counts.items()),
            Column("Idle", of_pools(f"{count(WORKERS_READY)} - {count(WORKERS_BUSY)}"), limits=((1, "yellow"),)),
            Column("Slots", of_pools(count(WORKER_SLOTS))),
            Column("Restarts", of_pools(count(WORKER_RESTARTS)), limits=((1, "red"),)),
            Column(
                "Trouble",
                f"{highest(select(WORKER_TROUBLE, *named), *GROUP_LABELS, 'reason')} == 1",
                labels=("reason",),
            ),
        ),
        order_by="Idle",
    )


def view() -> View:
    """The workers of the chosen groups."""
    return View(
        name="workers",
        uid="taskgroup-workers",
        title="Workers",
        purpose="Workers of TaskGroups: wanted, ready, busy and idle ones, and what keeps them from running.",
        variables=(datasource(), namespaces(), taskgroups()),
        sections=(
            Section("Now", _now()),
            Section("Pools of workers", (_pools(),)),
            Section("Over time", _over_time()),
        ),
        annotations=starts_and_ends(*_CHOSEN, NAMED, is_shown=False),
    )
