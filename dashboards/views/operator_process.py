"""The operator itself: whether it leads and keeps up, and what it needs from others."""

from dashboards.foreign import CPU, MAX_FILES, MEMORY, OPEN_FILES, PROCESS_START, UP
from dashboards.panels import Look, PanelBuilder, Query, figure, graph
from dashboards.promql import happened, happened_in_range, highest, or_zero, quantile, rate, select, total
from dashboards.variables import JOBS, datasource, jobs
from dashboards.view import Section, View
from dashboards.views.operator_outside import api, redis, results
from dashboards.words import QUANTILE_COLORS, quantiles

from taskgroup.serve.metrics.operator_metrics import (
    BUILD,
    COUNTS_AGE,
    HIDDEN,
    LEADER,
    LEASE_TRANSITIONS,
    LOOP_LAG,
    RECONCILE_ERRORS,
    RECONCILE_SECONDS,
    RECONCILES,
    REDIS_UNREACHABLE,
    SHOWN,
)

_SLOW_LOOP = 0.5
_BUGS = 'kind="bug"'


def _now() -> tuple[PanelBuilder, ...]:
    return (
        figure(
            "Leaders",
            "Exactly one process leads. 0: nothing is counted or dispatched; look at the pods and their logs. 2 for"
            " more than a moment: two releases watch the same groups; choose one Job above.",
            Query(or_zero(total(select(LEADER, JOBS)))),
            Look(base="red", limits=((1, "green"), (2, "orange"))),
        ),
        figure(
            "Processes",
            "Operators that Prometheus can read, standbys included. Fewer than `replicaCount`: look at the pods.",
            Query(or_zero(total(f"{select(UP, JOBS)} and on (job, instance) {select(LEADER, JOBS)}"))),
            Look(base="red", limits=((1, "green"),)),
        ),
        figure(
            "Version",
            "The version of the operator that leads; two names during an upgrade.",
            Query(highest(select(BUILD, JOBS), "version"), "{{version}}"),
            Look(base="blue"),
            is_name=True,
        ),
        figure(
            "Age of counts",
            "How old the counts in statuses are at most. Above 30 s: a Redis does not answer or the loop lags; see"
            " below.",
            Query(highest(select(COUNTS_AGE, JOBS))),
            Look(unit="s", decimals=1, base="green", limits=((10, "yellow"), (30, "red"))),
        ),
        figure(
            "Loop lag",
            "How late the event loop comes to what is due, in the worst of 100 looks. Above 0.5 s everything is late:"
            " give the operator more CPU, or let it watch fewer namespaces.",
            Query(quantile(0.99, LOOP_LAG, JOBS)),
            Look(unit="s", base="green", limits=((0.1, "yellow"), (_SLOW_LOOP, "red"))),
        ),
        figure(
            "Redis away",
            "Servers in use that could not be used at the last attempt. More than 0: see Servers in use and away.",
            Query(or_zero(total(select(REDIS_UNREACHABLE, JOBS)))),
            Look(base="green", limits=((1, "red"),)),
        ),
        figure(
            "Bugs",
            "Looks that failed by an error of the operator's own, in the time shown. Any: its log has the traceback;"
            " please report it.",
            Query(or_zero(total(happened_in_range(RECONCILE_ERRORS, JOBS, _BUGS, by=("instance", "controller"))))),
            Look(decimals=0, base="green", limits=((1, "red"),)),
        ),
        figure(
            "Has run for",
            "Of the youngest process. Short again and again: it is restarted; `kubectl describe pod` says why.",
            Query(f"time() - max({select(PROCESS_START, JOBS)} and on (job, instance) {select(LEADER, JOBS)})"),
            Look(unit="dthms"),
        ),
    )


def _leadership() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Who leads",
            "1 for the process that leads. Lines that change places often: the leader loses its Lease; the API server"
            " is slow, or the operator has too little CPU.",
            (Query(highest(select(LEADER, JOBS), "pod", "instance"), "{{instance}} {{pod}}"),),
            Look(lowest=0, most=1, decimals=0),
        ),
        graph(
            "Lease transitions",
            "How often a process began or ceased to lead, in each step of the graph. An upgrade makes two; more means"
            " trouble with the API server.",
            (Query(happened(LEASE_TRANSITIONS, JOBS, by=("instance",)), "{{instance}}"),),
            Look(lowest=0),
            bars=True,
        ),
    )


def _loops() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Looks per second",
            "At groups (taskgroup) and at their workers (workers). It falls to 0 while groups run: the operator hangs;"
            " see Loop lag.",
            (Query(total(rate(RECONCILES, JOBS), "controller", "result"), "{{controller}} {{result}}"),),
            Look(lowest=0),
        ),
        graph(
            "Looks that failed, per second",
            "By what failed. kubernetes: the API server; broker: Redis; bug: an error of the operator's own, whose log"
            " has the traceback. Each is tried again with a growing delay.",
            (Query(total(rate(RECONCILE_ERRORS, JOBS), "controller", "kind"), "{{controller}}: {{kind}}"),),
            Look(lowest=0, nothing="none has failed"),
        ),
        graph(
            "Time of a look, by step",
            "99 % are faster. observe: waits for Redis and the API server. decide: CPU only. apply: writes. The step"
            " that is slow says where to look.",
            (Query(quantile(0.99, RECONCILE_SECONDS, JOBS, by=("controller", "step")), "{{controller}} {{step}}"),),
            Look(unit="s", lowest=0),
        ),
        graph(
            "Event loop lag",
            "How late the loop comes to what is due. Above the line everything is late: more CPU, or fewer namespaces"
            " for this operator.",
            quantiles(LOOP_LAG, JOBS),
            Look(unit="s", colors=QUANTILE_COLORS, limits=((_SLOW_LOOP, "red"),), lowest=0),
        ),
    )


def _process() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Memory",
            "Of each process. It climbs towards `resources.limits.memory`: raise the limit; with few groups it is"
            " worth a report.",
            (Query(_of_operator(select(MEMORY, JOBS)), "{{instance}}"),),
            Look(unit="bytes", lowest=0),
            width=6,
        ),
        graph(
            "CPU",
            "Cores that each process uses; it cannot use more than one. Near 1: the loop lags; let another release"
            " watch some namespaces.",
            (Query(_of_operator(rate(CPU, JOBS)), "{{instance}}"),),
            Look(limits=((0.9, "red"),), lowest=0),
            width=6,
        ),
        graph(
            "Open files and connections",
            "Of those that the process may have. Above the line: many Redis servers, or connections that are not"
            " closed.",
            (Query(_of_operator(f"{select(OPEN_FILES, JOBS)} / {select(MAX_FILES, JOBS)}"), "{{instance}}"),),
            Look(unit="percentunit", limits=((0.8, "red"),), lowest=0),
            width=6,
        ),
        graph(
            "Groups with series of their own",
            "Any below them are without: they are added up as one, and no alert looks at a single one of them. Raise"
            " `metrics.maxGroups` to see them.",
            (
                Query(highest(select(SHOWN, JOBS)), "with series"),
                Query(highest(select(HIDDEN, JOBS)), "without"),
            ),
            Look(colors={"with series": "blue", "without": "orange"}, lowest=0),
            width=6,
        ),
    )


def _of_operator(expression: str) -> str:
    """A figure that every process has, of operators only: when all jobs are chosen, these are all that there are."""
    return f"({expression}) and on (job, instance) {select(LEADER, JOBS)}"


def view() -> View:
    """The operators of the chosen jobs."""
    return View(
        name="operator",
        uid="taskgroup-operator",
        title="Operator",
        purpose="The operator: leadership, loops, API server, Redis, results, ledgers and the process.",
        variables=(datasource(), jobs(LEADER)),
        sections=(
            Section("Now", _now()),
            Section("Leadership", _leadership()),
            Section("Loops", _loops()),
            Section("API server", api()),
            Section("Redis, as the operator sees it", redis()),
            Section("Results and ledgers", results()),
            Section("Process", _process()),
        ),
    )
