"""One TaskGroup: how far it is, what fails, what its workers do, and what it says about itself."""

from dashboards.annotations import starts_and_ends
from dashboards.links import GROUP_UID, explore, logs
from dashboards.panels import Look, PanelBuilder, Query, figure, graph, note, ranking, rows
from dashboards.promql import growth, highest, or_zero, rate, select, total
from dashboards.tables import renamed
from dashboards.variables import NAMESPACE, TASKGROUP, datasource, logs_datasource, namespace, taskgroup
from dashboards.view import Section, View
from dashboards.words import ITEM_COLORS, QUANTILE_COLORS, STATE_COLORS, WORKER_COLORS, of_state, of_states, quantiles

from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import (
    COMPLETION,
    CONDITION,
    DEADLINE,
    DISPATCHED,
    DURATION_SECONDS,
    ENDED,
    ESTIMATE,
    FAILURES,
    HELD,
    INTERRUPTED,
    ITEMS,
    LOSSES,
    LOST,
    MISSING,
    OLDEST,
    QUEUED,
    RATE,
    REDISPATCHED,
    RUN_SECONDS,
    START,
    STATE,
    WINDOW,
    WITHDRAWN,
    WORKER_RESTARTS,
    WORKER_SLOTS,
    WORKER_STARTS,
    WORKER_TROUBLE,
    WORKERS_BUSY,
    WORKERS_PRESENT,
    WORKERS_READY,
    WORKERS_WANTED,
)

_GROUP = (NAMESPACE, TASKGROUP)
_PODS = '{namespace="$namespace", pod=~"$taskgroup-.+"}'
_OPERATOR_LINES = '{namespace=~".+"}'
_COMMANDS = f"""\
```sh
kubectl --namespace $namespace describe tg $taskgroup
kubectl --namespace $namespace get events --field-selector involvedObject.name=$taskgroup
kubectl --namespace $namespace logs --selector taskgroups.dev/name=$taskgroup --prefix
```

[Logs of its workers]({explore(_PODS, "")}) ·
[what the operator did for it]({explore(_OPERATOR_LINES, "group=$namespace/$taskgroup ")})
(both need Loki, chosen at the top)
"""


def _one(metric: Metric, *matchers: str) -> str:
    return highest(select(metric, *_GROUP, *matchers))


def _now() -> tuple[PanelBuilder, ...]:
    ended = total(select(ITEMS, *_GROUP, of_states("succeeded|failed|cancelled")))
    return (
        figure(
            "State",
            "The same as `status.state`. Pending for minutes: see Trouble with workers. Failed: see Failures by"
            " reason.",
            Query(f"{highest(select(STATE, *_GROUP), 'state')} == 1", "{{state}}"),
            Look(base="text", colors=STATE_COLORS, nothing="no such group"),
            is_name=True,
        ),
        figure(
            "Progress",
            "Items that ended, of all. When it stands still while the state is Running, see In flight beside the"
            " window.",
            Query(f"{ended} / {total(select(ITEMS, *_GROUP))}"),
            Look(unit="percentunit", decimals=0, base="blue", lowest=0, most=1),
        ),
        figure(
            "Ends in",
            "If items go on ending as fast as in the last minute. A dash: it has ended, or nobody can tell yet.",
            Query(f"{_one(ESTIMATE)} - time()"),
            Look(unit="dthms"),
        ),
        figure(
            "Deadline in",
            "Until `activeDeadlineSeconds` is over. Less than Ends in: the group will fail; raise the deadline or"
            " `maxReplicas`. A dash: it has no deadline, or is suspended.",
            Query(f"{_one(DEADLINE)} - time()"),
            Look(unit="dthms", base="red", limits=((60, "yellow"), (600, "text"))),
        ),
        figure(
            "Succeeded",
            "The same as `status.succeeded`.",
            Query(_one(ITEMS, of_state("succeeded"))),
            Look(base="green"),
        ),
        figure(
            "Failed",
            "The same as `status.failed`. See Failures by reason; `kubectl describe tg` says which items.",
            Query(_one(ITEMS, of_state("failed"))),
            Look(base="green", limits=((1, "red"),)),
        ),
        figure(
            "Items",
            "All items of the group: the same as `status.total`.",
            Query(total(select(ITEMS, *_GROUP))),
        ),
        figure(
            "Has run for",
            "From the start to the end, or until now.",
            Query(f"({_one(COMPLETION)} or vector(time())) - {_one(START)}"),
            Look(unit="dthms"),
        ),
    )


def _progress() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Items by state",
            "Pending become active, active become succeeded or failed. Nothing moves: see In flight beside the window."
            " Grey that grows: items were appended.",
            (Query(highest(select(ITEMS, *_GROUP), "state"), "{{state}}"),),
            Look(colors=ITEM_COLORS, lowest=0),
            stacked=True,
        ),
        graph(
            "Items that end per second",
            "The areas by outcome, and the mean of the last minute that the estimate is made from. It falls with as"
            " many workers: items take longer; see Run time.",
            (
                Query(total(rate(ENDED, *_GROUP), "outcome"), "{{outcome}}"),
                Query(_one(RATE), "mean of the last minute"),
            ),
            Look(colors={**ITEM_COLORS, "mean of the last minute": "text"}, lowest=0),
        ),
        graph(
            "In flight beside the window",
            "The window is how many items may be in flight. In the queue at 0 with busy workers: they wait for the"
            " operator; see the dashboard Operator. Held at 0 with a full queue: no worker takes items; see Workers.",
            (
                Query(_one(WINDOW), "window"),
                Query(_one(ITEMS, of_state("active")), "in flight"),
                Query(_one(QUEUED), "in the queue"),
                Query(_one(HELD), "held by workers"),
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
            (Query(highest(select(FAILURES, *_GROUP), "reason"), "{{reason}}"),),
            Look(base="red", nothing="no item has failed"),
        ),
    )


def _workers() -> tuple[PanelBuilder, ...]:
    counts = {"wanted": WORKERS_WANTED, "present": WORKERS_PRESENT, "ready": WORKERS_READY, "busy": WORKERS_BUSY}
    return (
        graph(
            "Workers",
            "Pods of this group. Ready below wanted for minutes: see Trouble with workers. Busy below ready while"
            " items are left: the items are too few for so many pods, or the queue is empty.",
            tuple(Query(_one(metric), name) for name, metric in counts.items()),
            Look(colors=WORKER_COLORS, lowest=0),
        ),
        graph(
            "Slots",
            "How many items the wanted pods run at once, beside those that workers hold. Held far below the slots:"
            " workers idle.",
            (Query(_one(WORKER_SLOTS), "slots"), Query(_one(HELD), "held by workers")),
            Look(colors={"slots": "gray", "held by workers": "green"}, lowest=0),
        ),
        graph(
            "Run time of an item",
            "From the start of the last attempt to its end, by the worker's clock. The upper line far above the lower"
            " one: a few items take much longer than most.",
            quantiles(RUN_SECONDS, *_GROUP),
            Look(unit="s", colors=QUANTILE_COLORS, lowest=0, nothing="no item has ended in this time"),
        ),
        graph(
            "From dispatch to the end that the operator saw",
            "Run time and the wait before it. Far above the run time: items wait in the queue; more workers shorten"
            " it, unless `maxReplicas` is reached.",
            quantiles(DURATION_SECONDS, *_GROUP),
            Look(unit="s", colors=QUANTILE_COLORS, lowest=0, nothing="no item has ended in this time"),
        ),
        graph(
            "Oldest item in flight",
            "A line that only climbs: one item hangs; give it a time limit (`options.timeLimitSeconds`).",
            (Query(_one(OLDEST), "oldest"),),
            Look(unit="s", colors={"oldest": "orange"}, lowest=0),
        ),
        graph(
            "Pods that started, containers that were restarted",
            "In each step of the graph. Restarts again and again: the worker dies by itself; read its logs.",
            (
                Query(total(growth(WORKER_STARTS, *_GROUP)), "pods started"),
                Query(total(growth(WORKER_RESTARTS, *_GROUP)), "restarts"),
            ),
            Look(colors={"pods started": "blue", "restarts": "red"}, lowest=0),
            bars=True,
        ),
    )


def _says() -> tuple[PanelBuilder, ...]:
    repeats = {
        "sent again": REDISPATCHED,
        "found nowhere": MISSING,
        "workers died with it": LOSSES,
        "given up": LOST,
        "interrupted by Redis": INTERRUPTED,
        "withdrawn": WITHDRAWN,
    }
    return (
        _conditions(),
        ranking(
            "Trouble with workers",
            "What keeps workers from running, in the words of the condition WorkersReady; `kubectl describe tg` has"
            " the sentence.",
            (Query(f"{highest(select(WORKER_TROUBLE, *_GROUP), 'reason')} == 1", "{{reason}}"),),
            Look(base="orange", texts={"1": ("now", "orange")}, nothing="none"),
            width=8,
        ),
        note("Look closer", "Commands and log links for this group.", _COMMANDS, width=8),
        graph(
            "Items sent for the first time",
            "Per second. 0 while items are pending and the window has room: the operator does not dispatch; see the"
            " dashboard Operator.",
            (Query(total(rate(DISPATCHED, *_GROUP)), "sent"),),
            Look(colors={"sent": "blue"}, lowest=0),
        ),
        graph(
            "Items that went wrong on the way",
            "In each step of the graph. Deaths of workers: look for OOMKilled and evictions. Interrupted or found"
            " nowhere: look at the dashboard Redis. No item is counted twice.",
            tuple(Query(or_zero(total(growth(metric, *_GROUP))), name) for name, metric in repeats.items()),
            Look(colors={"given up": "red", "workers died with it": "orange"}, lowest=0),
            bars=True,
        ),
    )


def _conditions() -> PanelBuilder:
    panel = rows(
        "Conditions",
        "As in `status.conditions`, with the reason. BackendReachable False: the dashboard Redis. ConfigurationValid"
        " False: the spec needs a change. Unknown for long: the operator does not run.",
        (Query(f"{highest(select(CONDITION, *_GROUP), 'condition', 'reason')}"),),
        Look(texts={"1": ("True", "green"), "0": ("False", "orange"), "-1": ("Unknown", "yellow")}),
        width=8,
        height=8,
    )
    return renamed(panel, {"condition": "Condition", "Value": "Status", "reason": "Reason"})


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
            Section("What it says about itself", _says()),
        ),
        annotations=starts_and_ends(*_GROUP),
        links=(logs("Logs of the workers", _PODS, ""),),
    )
