"""What one TaskGroup says about itself, and where to look closer."""

from dashboards.links import explore
from dashboards.panels import Look, PanelBuilder, Query, graph, note, ranking, rows
from dashboards.promql import happened, highest, or_zero, rate, select, total
from dashboards.tables import renamed
from dashboards.variables import OF_GROUP
from dashboards.words import of_group, of_state

from taskgroup.api.names import ConditionType
from taskgroup.api.status import StageState
from taskgroup.serve.metrics.group_metrics import (
    CONDITION,
    DISPATCHED,
    INTERRUPTED,
    LOSSES,
    LOST,
    MISSING,
    RATE_LIMIT,
    REDISPATCHED,
    RETRIED,
    STAGE,
    WITHDRAWN,
    WORKER_TROUBLE,
)

_NEUTRAL = 10
"""Added to the condition Ready: it is False while the group runs, and that is no alarm."""
_STATUSES = {
    "1": ("True", "green"),
    "0": ("False", "orange"),
    "-1": ("Unknown", "yellow"),
    f"{_NEUTRAL + 1}": ("True", "green"),
    f"{_NEUTRAL}": ("False", "gray"),
    f"{_NEUTRAL - 1}": ("Unknown", "yellow"),
}
_STAGE_STATES = {
    StageState.PENDING: "gray",
    StageState.RUNNING: "blue",
    StageState.SUCCEEDED: "green",
    StageState.FAILED: "red",
    StageState.CANCELLED: "orange",
}
"""By their places here the queries number them."""
_WRONG_COLORS = {
    "sent again": "blue",
    "found nowhere": "purple",
    "workers died with it": "orange",
    "given up": "red",
    "interrupted by Redis": "yellow",
    "retried": "green",
    "withdrawn": "gray",
}
PODS_LOGS = '{namespace="$namespace", pod=~"$taskgroup-.+"}'
_OPERATOR_LINES = '{container="operator"}'
_COMMANDS = f"""\
```sh
kubectl --namespace $namespace describe tg $taskgroup
kubectl --namespace $namespace get events --field-selector involvedObject.name=$taskgroup
kubectl --namespace $namespace logs --selector taskgroups.dev/name=$taskgroup --prefix
```

[Logs of its workers]({explore(PODS_LOGS, "")}) ·
[what the operator did for it]({explore(_OPERATOR_LINES, "group=$namespace/$taskgroup ")})
(both need Loki, chosen at the top)
"""


def says() -> tuple[PanelBuilder, ...]:
    """Conditions, trouble, commands, and what went wrong on the way."""
    repeats = {
        "sent again": REDISPATCHED,
        "found nowhere": MISSING,
        "workers died with it": LOSSES,
        "given up": LOST,
        "interrupted by Redis": INTERRUPTED,
        "retried": RETRIED,
        "withdrawn": WITHDRAWN,
    }
    return (
        _conditions(),
        ranking(
            "Trouble with workers",
            "What keeps workers from running, in the words of the condition WorkersReady; `kubectl describe tg` has"
            " the sentence.",
            (Query(f"{highest(select(WORKER_TROUBLE, *OF_GROUP), 'reason')} == 1", "{{reason}}"),),
            Look(base="orange", texts={"1": ("now", "orange")}, nothing="none"),
            width=8,
        ),
        note("Look closer", "Commands and log links for this group.", _COMMANDS, width=8),
        graph(
            "Items sent for the first time",
            "Per second; steps of chains count each. At the grey line: `spec.rateLimit` holds items back, and workers"
            " may idle. 0 far below it, with items pending and room in the window: see the dashboard Operator.",
            (
                Query(total(rate(DISPATCHED, *OF_GROUP)), "sent"),
                Query(of_group(RATE_LIMIT), "rate limit"),
            ),
            Look(colors={"sent": "blue", "rate limit": "gray"}, lowest=0),
        ),
        graph(
            "Items that went wrong on the way",
            "In each step of the graph. Deaths of workers: look for OOMKilled and evictions. Interrupted or found"
            " nowhere: look at the dashboard Redis. No item is counted twice.",
            tuple(Query(or_zero(happened(metric, *OF_GROUP, by=())), name) for name, metric in repeats.items()),
            Look(colors=_WRONG_COLORS, lowest=0),
            bars=True,
        ),
    )


def stages() -> PanelBuilder:
    """What comes before the items, after them, or in place of their success."""
    numbered = (
        f"{highest(select(STAGE, *OF_GROUP, of_state(state)), 'stage')} * {number}"
        for number, state in enumerate(_STAGE_STATES, 1)
    )
    panel = rows(
        "What runs once for the group",
        "`spec.before`, `callback` and `onFailure`, as the status has them. Failed: `kubectl describe tg` has reason"
        " and message; a failed before or callback fails the group. Running for long: look at the workers' logs.",
        (Query(" or ".join(numbered)),),
        Look(
            texts={str(number): (state, color) for number, (state, color) in enumerate(_STAGE_STATES.items(), 1)},
            nothing="the group has none",
        ),
        width=12,
        height=8,
    )
    return renamed(panel, {"stage": "Stage", "Value": "Status"})


def _condition(comparison: str) -> str:
    ready = f'condition{comparison}"{ConditionType.READY}"'
    return highest(select(CONDITION, *OF_GROUP, ready), "condition", "reason")


def _conditions() -> PanelBuilder:
    panel = rows(
        "Conditions",
        "As in `status.conditions`, with the reason. BackendReachable False: the dashboard Redis. ConfigurationValid"
        " False: the spec needs a change. Unknown for long: the operator does not run.",
        (Query(f"{_condition('!=')} or {_condition('=')} + {_NEUTRAL}"),),
        Look(texts=_STATUSES),
        width=8,
        height=8,
    )
    return renamed(panel, {"condition": "Condition", "Value": "Status", "reason": "Reason"})
