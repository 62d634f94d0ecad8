"""The first dashboard to open: all groups at once, and which of them to look at."""

from dashboards.annotations import starts_and_ends
from dashboards.panels import COUNT, Look, PanelBuilder, Query, figure, graph, ranking
from dashboards.promql import happened, highest, newest, or_zero, rate, select, top, total
from dashboards.tables import Column, group_table
from dashboards.variables import NAMED, NAMESPACES, datasource, namespaces
from dashboards.view import Section, View
from dashboards.words import ITEM_COLORS, LEFT, NOT_ENDED, STATE_COLORS, WORKER_COLORS, of_state, of_states

from taskgroup.api.names import State
from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import (
    COMPLETION,
    ENDED,
    ESTIMATE,
    FAILURES,
    GROUP_LABELS,
    ITEMS,
    OLDEST,
    STAGE,
    START,
    STATE,
    WORKER_TROUBLE,
    WORKERS_BUSY,
    WORKERS_READY,
    WORKERS_WANTED,
)
from taskgroup.serve.metrics.operator_metrics import FINISHED, GROUPS

_ON_GROUP = f"on ({', '.join(GROUP_LABELS)})"


def _groups(state: State) -> Query:
    return Query(or_zero(total(select(GROUPS, NAMESPACES, of_state(state)))))


def _items(states: str) -> Query:
    return Query(or_zero(total(select(ITEMS, NAMESPACES, of_states(states)))))


def _at_last(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """A figure of each group as it was last, also when its series are gone."""
    return highest(newest(metric, NAMESPACES, *matchers), *GROUP_LABELS, *by)


def _now() -> tuple[PanelBuilder, ...]:
    return (
        figure(
            "Running",
            "Groups whose items run now. 0 while others are pending: look at Pending, then at the dashboard Workers.",
            _groups(State.RUNNING),
            Look(base="blue"),
        ),
        figure(
            "Pending",
            "Groups for which no worker has run yet. More than 0 for minutes: the table below says in Trouble what"
            " keeps their workers from running.",
            _groups(State.PENDING),
            Look(base="green", limits=((1, "yellow"),)),
        ),
        figure(
            "Suspended",
            "Groups that somebody has suspended; they cost nothing and go on when `spec.suspend` is false.",
            _groups(State.SUSPENDED),
            Look(base="purple"),
        ),
        figure(
            "Failed",
            "TaskGroups that exist and have ended as Failed. The table at the bottom lists those that had series in the"
            " time shown; choose a longer time for older ones.",
            _groups(State.FAILED),
            Look(base="green", limits=((1, "red"),)),
        ),
        figure(
            "Items left",
            "Items that have not ended. When it does not fall, compare Items that end per second with Workers below.",
            _items(LEFT),
            Look(unit=COUNT),
        ),
        figure(
            "Items failed",
            "Failed items of the groups in the time shown, as each `status.failed` was last. See Failures by reason.",
            Query(or_zero(total(_at_last(ITEMS, of_state("failed"))))),
            Look(unit=COUNT, base="green", limits=((1, "red"),)),
        ),
        figure(
            "Per second",
            "Items that end in a second now. 0 while items are left: nothing works; look at Workers.",
            Query(or_zero(total(rate(ENDED, NAMESPACES)))),
            Look(decimals=1),
        ),
        figure(
            "All end in",
            "Until the last item of the slowest running group ends, if items go on ending as fast as in the last"
            " minute. A dash: no group runs, or nobody can tell yet.",
            Query(f"{highest(select(ESTIMATE, NAMESPACES))} - time()"),
            Look(unit="dthms"),
        ),
    )


def _over_time() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Groups by state",
            "How many TaskGroups are in each state. Yellow that stays: groups wait for workers. Red that grows: groups"
            " fail; the table at the bottom names them.",
            tuple(Query(total(select(GROUPS, NAMESPACES, of_state(state))), state) for state in State),
            Look(colors=STATE_COLORS, lowest=0),
            stacked=True,
        ),
        graph(
            "Items that end per second",
            "By how they ended. A fall to 0 while items are left: look at Workers and, when they are busy, at Oldest"
            " item in flight.",
            (Query(total(rate(ENDED, NAMESPACES), "outcome"), "{{outcome}}"),),
            Look(colors=ITEM_COLORS, lowest=0),
            stacked=True,
        ),
        graph(
            "Items left, by state",
            "Pending items wait for room in the queue, active ones are in the queue or run, retrying ones failed and"
            " run again later. Active at 0 with pending above: nothing is dispatched; look at the dashboard Operator.",
            tuple(Query(total(select(ITEMS, NAMESPACES, of_state(state))), state) for state in LEFT.split("|")),
            Look(colors=ITEM_COLORS, lowest=0),
            stacked=True,
        ),
        graph(
            "Share of items that fail",
            "Failed of all that ended. Above the line one of 20 fails: look at Failures by reason, then at the logs of"
            " that group.",
            (Query(f"{total(rate(ENDED, NAMESPACES, _FAILED))} / {total(rate(ENDED, NAMESPACES))}", "failed"),),
            Look(unit="percentunit", limits=((0.05, "red"),), colors={"failed": "red"}, lowest=0),
        ),
        graph(
            "Workers",
            "Pods over all groups. Ready below wanted for minutes: pods do not start; the dashboard Workers says why."
            " Busy below ready for long: idle pods cost money.",
            tuple(
                Query(total(select(metric, NAMESPACES)), name)
                for name, metric in {"wanted": WORKERS_WANTED, "ready": WORKERS_READY, "busy": WORKERS_BUSY}.items()
            ),
            Look(colors=WORKER_COLORS, lowest=0),
        ),
        graph(
            "Groups that ended",
            "In each step of the graph, by outcome. Red: open the group from the table at the bottom.",
            (Query(total(happened(FINISHED, NAMESPACES, by=FINISHED.labels), "outcome"), "{{outcome}}"),),
            Look(colors=STATE_COLORS, lowest=0),
            bars=True,
        ),
        ranking(
            "Failures by reason",
            "Failed items by exception class, the ten most frequent, as `status.failures` was last. Lost:"
            " workers died with the item. Expired and Revoked: somebody limited or cancelled it.",
            (Query(top(10, total(_at_last(FAILURES, by=("reason",)), "reason")), "{{reason}}"),),
            Look(unit=COUNT, base="red", nothing="no item has failed"),
        ),
        graph(
            "Oldest item in flight",
            "Of the five groups whose oldest item is the oldest. A line that only climbs: of a group without ready"
            " workers the items wait for them; else one item hangs: give it a time limit (`options.timeLimitSeconds`).",
            (
                Query(
                    top(5, f"{highest(select(OLDEST, NAMESPACES), *GROUP_LABELS)} > 0"), "{{namespace}}/{{taskgroup}}"
                ),
            ),
            Look(unit="s", lowest=0, nothing="nothing is in flight"),
        ),
    )


_FAILED = 'outcome="failed"'


def _state(states: str) -> str:
    return highest(select(STATE, NAMESPACES, NAMED, of_states(states)), *GROUP_LABELS, "state")


def _in(states: str, expression: str, *more: str) -> str:
    """An expression about groups, of those only that are in one of these states."""
    return f"{highest(expression, *GROUP_LABELS, *more)} and {_ON_GROUP} ({_state(states)} == 1)"


def _column(name: str, states: str, metric: Metric, *matchers: str) -> Column:
    return Column(name, _in(states, select(metric, NAMESPACES, *matchers)))


def _progress(states: str) -> Column:
    ended = total(select(ITEMS, NAMESPACES, of_states("succeeded|failed|cancelled")), *GROUP_LABELS)
    share = f"{ended} / {total(select(ITEMS, NAMESPACES), *GROUP_LABELS)}"
    return Column("Progress", _in(states, share), "percentunit")


def _running() -> PanelBuilder:
    failed = _column("Failed", NOT_ENDED, ITEMS, of_state("failed"))
    return group_table(
        "Groups that have not ended",
        "One row for each; the name leads to its own dashboard. Look first at rows with a Trouble, then at those with"
        " red failures.",
        (
            Column("State", f"{_state(NOT_ENDED)} == 1", labels=("state",)),
            _progress(NOT_ENDED),
            Column("Left", _in(NOT_ENDED, total(select(ITEMS, NAMESPACES, of_states(LEFT)), *GROUP_LABELS))),
            Column(failed.name, failed.expression, limits=((1, "red"),)),
            Column("Per second", _in(NOT_ENDED, total(rate(ENDED, NAMESPACES), *GROUP_LABELS)), "short"),
            Column("Ends in", _in(NOT_ENDED, f"{select(ESTIMATE, NAMESPACES)} - time()"), "dthms"),
            _column("Workers ready", NOT_ENDED, WORKERS_READY),
            _column("Workers wanted", NOT_ENDED, WORKERS_WANTED),
            Column("Trouble", _in(NOT_ENDED, select(WORKER_TROUBLE, NAMESPACES), "reason"), labels=("reason",)),
        ),
        order_by="Left",
    )


_FAILED_STAGE = 'stage=~"before|callback", state="Failed"'


def _failed_groups() -> PanelBuilder:
    failed = newest(STATE, NAMESPACES, NAMED, of_state(State.FAILED))
    again = select(STATE, NAMESPACES, NAMED, f'state!="{State.FAILED}"')

    def of_failed(expression: str) -> str:
        """Of groups that failed, unless one of the same name does better now."""
        return f"({expression}) and {_ON_GROUP} ({failed} == 1) unless {_ON_GROUP} ({again} == 1)"

    return group_table(
        "Groups that failed",
        "TaskGroups that ended as Failed in the time shown, the last ones first. Beside items: its before or callback"
        " failed. Open one for the reasons; `kubectl describe tg` says which items.",
        (
            Column("Items failed", of_failed(_at_last(ITEMS, of_state("failed"))), limits=((1, "red"),)),
            Column("Items succeeded", of_failed(_at_last(ITEMS, of_state("succeeded")))),
            Column("Items cancelled", of_failed(_at_last(ITEMS, of_state("cancelled")))),
            Column("Beside items", of_failed(_at_last(STAGE, _FAILED_STAGE, by=("stage",))), labels=("stage",)),
            Column("Ended", of_failed(f"{_at_last(COMPLETION)} * 1000"), "dateTimeAsIso"),
            Column("Took", of_failed(f"{_at_last(COMPLETION)} - {_at_last(START)}"), "dthms"),
        ),
        order_by="Ended",
        height=7,
    )


def view() -> View:
    """All groups of the chosen namespaces."""
    return View(
        name="overview",
        uid="taskgroup-overview",
        title="Overview",
        purpose="All TaskGroups: what runs, what fails, what is left and when it ends.",
        variables=(datasource(), namespaces()),
        sections=(
            Section("Now", _now()),
            Section("Groups to look at", (_running(),)),
            Section("Over time", _over_time()),
            Section("Groups that ended badly", (_failed_groups(),)),
        ),
        annotations=starts_and_ends(NAMESPACES, NAMED, is_shown=False),
    )
