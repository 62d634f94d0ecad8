"""One TaskGroup: how far it is, what fails, what its workers do, and what it says about itself."""

from dashboards.annotations import starts_and_ends
from dashboards.links import GROUP_UID, logs
from dashboards.panels import COUNT, Look, PanelBuilder, Query, figure, graph, ranking
from dashboards.promql import happened, highest, rate, select, total
from dashboards.variables import OF_GROUP, datasource, logs_datasource, namespace, taskgroup
from dashboards.view import Section, View
from dashboards.views.group_says import PODS_LOGS, says, stages
from dashboards.words import (
    ITEM_COLORS,
    QUANTILE_COLORS,
    STATE_COLORS,
    WORKER_COLORS,
    of_group,
    of_group_at_last,
    of_state,
    of_states,
    quantiles,
)

from taskgroup.api.names import State
from taskgroup.serve.metrics.group_metrics import (
    COMPLETION,
    DEADLINE,
    DURATION_SECONDS,
    ENDED,
    ESTIMATE,
    FAILURES,
    HELD,
    ITEMS,
    OLDEST,
    QUEUED,
    RATE,
    RUN_SECONDS,
    START,
    STATE,
    STEPS_PASSED,
    WINDOW,
    WORKER_RESTARTS,
    WORKER_SLOTS,
    WORKER_STARTS,
    WORKERS_BUSY,
    WORKERS_PRESENT,
    WORKERS_READY,
    WORKERS_WANTED,
)

_MEAN = "behind the estimate"


def _now() -> tuple[PanelBuilder, ...]:
    ended = of_group_at_last(ITEMS, of_states("succeeded|failed|cancelled"), by=("state",))
    items = of_group_at_last(ITEMS, by=("state",))
    state = highest(select(STATE, *OF_GROUP), "state")
    end = of_group_at_last(STATE, of_states(f"{State.COMPLETE}|{State.FAILED}"), by=("state",))
    return (
        figure(
            "State",
            "The same as `status.state`. Pending for minutes: see Trouble with workers. Failed: see Failures by"
            " reason.",
            Query(f"({state} or {end}) == 1", "{{state}}"),
            Look(base="text", colors=STATE_COLORS, nothing="no such group"),
            is_name=True,
        ),
        figure(
            "Progress",
            "Items that ended, of all. When it stands still while the state is Running, see In flight beside the"
            " window.",
            Query(f"{total(ended)} / {total(items)}"),
            Look(unit="percentunit", decimals=0, base="blue", lowest=0, most=1),
        ),
        figure(
            "Ends in",
            "If items go on ending as fast as in the last minute. A dash: it has ended, or nobody can tell yet.",
            Query(f"{of_group(ESTIMATE)} - time()"),
            Look(unit="dthms"),
        ),
        figure(
            "Deadline in",
            "Until `activeDeadlineSeconds` is over. Less than Ends in: the group will fail; raise the deadline or"
            " `maxReplicas`. A dash: it has no deadline, is suspended, or has ended.",
            Query(f"{of_group(DEADLINE)} - time() unless on () {of_group(COMPLETION)}"),
            Look(unit="dthms", base="red", limits=((60, "yellow"), (600, "text"))),
        ),
        figure(
            "Succeeded",
            "The same as `status.succeeded`.",
            Query(of_group_at_last(ITEMS, of_state("succeeded"))),
            Look(unit=COUNT, base="green"),
        ),
        figure(
            "Failed",
            "The same as `status.failed`. See Failures by reason; `kubectl describe tg` says which items.",
            Query(of_group_at_last(ITEMS, of_state("failed"))),
            Look(unit=COUNT, base="green", limits=((1, "red"),)),
        ),
        figure(
            "Items",
            "All items of the group: the same as `status.total`.",
            Query(total(items)),
            Look(unit=COUNT),
        ),
        figure(
            "Has run for",
            "From the start to the end, or until now. It stays here as long as the time shown includes the group.",
            Query(f"({of_group_at_last(COMPLETION)} or vector(time())) - {of_group_at_last(START)}"),
            Look(unit="dthms"),
        ),
    )


def _progress() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Items by state",
            "Pending become active, active become succeeded or failed. Nothing moves: see In flight beside the window."
            " Grey that grows: items were appended.",
            tuple(Query(of_group(ITEMS, of_state(state)), state) for state in ITEM_COLORS),
            Look(colors=ITEM_COLORS, lowest=0),
            stacked=True,
        ),
        graph(
            "Items that end per second",
            "By outcome, and the mean that the estimate is made from, which stays while nothing ends. They fall with as"
            " many workers: items take longer; see Run time of an item.",
            (
                Query(total(rate(ENDED, *OF_GROUP), "outcome"), "{{outcome}}"),
                Query(of_group(RATE), _MEAN),
            ),
            Look(colors={**ITEM_COLORS, _MEAN: "text"}, lowest=0),
        ),
        graph(
            "In flight beside the window",
            "The window is how many items may be in flight; what was sent stays when it comes down. In the queue at 0"
            " with busy workers: they wait for the operator, or for `rateLimit`. Held at 0 with a full queue: no worker"
            " takes items; see Workers.",
            (
                Query(of_group(WINDOW), "window"),
                Query(of_group(ITEMS, of_state("active")), "in flight"),
                Query(of_group(QUEUED), "in the queue"),
                Query(of_group(HELD), "held by workers"),
            ),
            Look(
                colors={"window": "gray", "in flight": "blue", "in the queue": "yellow", "held by workers": "green"},
                lowest=0,
            ),
        ),
        ranking(
            "Failures by reason",
            "Failed items by exception class, the same counts as `status.failures`. Lost: workers died with the item,"
            " often for lack of memory; raise `workers.resources`.",
            (Query(of_group_at_last(FAILURES, by=("reason",)), "{{reason}}"),),
            Look(unit=COUNT, base="red", nothing="no item has failed"),
        ),
    )


def _around_items() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Steps of chains",
            "Items that have each step of their chain behind them; steps count from 0. Two lines far apart: items wait"
            " or fail between these two; see Failures by reason.",
            (
                Query(highest(select(STEPS_PASSED, *OF_GROUP), "step"), "past step {{step}}"),
                Query(f"{of_group(ITEMS, of_state('succeeded'))} and {of_group(STEPS_PASSED)}", "past the last one"),
            ),
            Look(colors={"past the last one": "text"}, lowest=0, nothing="the items are no chains"),
        ),
        stages(),
    )


def _workers() -> tuple[PanelBuilder, ...]:
    counts = {"wanted": WORKERS_WANTED, "present": WORKERS_PRESENT, "ready": WORKERS_READY, "busy": WORKERS_BUSY}
    return (
        graph(
            "Workers",
            "Pods of this group. Ready below wanted for minutes: see Trouble with workers. Busy below ready while"
            " items are left: the items are too few for so many pods, or the queue is empty.",
            tuple(Query(of_group(metric), name) for name, metric in counts.items()),
            Look(colors=WORKER_COLORS, lowest=0),
        ),
        graph(
            "Slots",
            "How many items the wanted pods run at once, beside those that workers hold. Held far below the slots:"
            " workers idle.",
            (Query(of_group(WORKER_SLOTS), "slots"), Query(of_group(HELD), "held by workers")),
            Look(colors={"slots": "gray", "held by workers": "green"}, lowest=0),
        ),
        graph(
            "Run time of an item",
            "From the start of the last attempt to its end, by the worker's clock. The upper line far above the lower"
            " one: a few items take much longer than most.",
            quantiles(RUN_SECONDS, *OF_GROUP),
            Look(unit="s", colors=QUANTILE_COLORS, lowest=0, nothing="no item has ended in this time"),
        ),
        graph(
            "From dispatch to the end that the operator saw",
            "Run time and the wait before it. Far above the run time: items wait in the queue; more workers shorten"
            " it, unless `maxReplicas` is reached.",
            quantiles(DURATION_SECONDS, *OF_GROUP),
            Look(unit="s", colors=QUANTILE_COLORS, lowest=0, nothing="no item has ended in this time"),
        ),
        graph(
            "Oldest item in flight",
            "A line that only climbs: one item hangs: give it a time limit (`options.timeLimitSeconds`); without ready"
            " workers it waits for them.",
            (Query(of_group(OLDEST), "oldest"),),
            Look(unit="s", colors={"oldest": "orange"}, lowest=0),
        ),
        graph(
            "Pods that started, containers that were restarted",
            "In each step of the graph. Restarts again and again: the worker dies by itself; read its logs.",
            (
                Query(happened(WORKER_STARTS, *OF_GROUP, by=()), "pods started"),
                Query(happened(WORKER_RESTARTS, *OF_GROUP, by=()), "restarts"),
            ),
            Look(colors={"pods started": "blue", "restarts": "red"}, lowest=0),
            bars=True,
        ),
    )


def view() -> View:
    """The group that is chosen by namespace and name."""
    return View(
        name="taskgroup",
        uid=GROUP_UID,
        title="TaskGroup",
        purpose="One TaskGroup: progress, failures, workers, times and conditions.",
        variables=(datasource(), namespace(), taskgroup(), logs_datasource()),
        sections=(
            Section("$namespace/$taskgroup now", _now()),
            Section("Progress", _progress()),
            Section("Workers and times", _workers()),
            Section("Chains, and what runs once", _around_items()),
            Section("What it says about itself", says()),
        ),
        annotations=starts_and_ends(*OF_GROUP),
        links=(logs("Logs of the workers", PODS_LOGS, ""),),
    )
