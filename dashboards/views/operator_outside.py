"""What the operator needs of others: the API server and Redis, and the results and ledgers that are kept there."""

from dashboards.panels import Look, PanelBuilder, Query, graph
from dashboards.promql import highest, mean, quantile, rate, select, top, total
from dashboards.variables import JOBS
from dashboards.words import QUANTILE_COLORS, quantiles

from taskgroup.serve.metrics.operator_metrics import (
    API_REQUESTS,
    API_SECONDS,
    API_WAITING,
    BUDGET_DELAYED,
    BUDGET_WAITING,
    COUNTS_AGE,
    DISPATCH_BATCHES,
    DISPATCH_BYTES,
    DISPATCH_SECONDS,
    LEDGER_BYTES,
    LEDGER_SAVES,
    LEDGER_UNSAVED,
    REDIS_ERRORS,
    REDIS_SECONDS,
    REDIS_SERVERS,
    REDIS_UNREACHABLE,
    SWEEP_ENDED,
    SWEEP_ERRORS,
    SWEEP_ITEMS,
    SWEEP_SECONDS,
)

_RESULT_COLORS = {"success": "green", "conflict": "yellow", "error": "red"}
_SLOW = 1.0


def api() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "API requests per second, by code",
            "409: somebody else wrote first, and 422: what it changes is not as it was; both are normal in small"
            " numbers. 429 or 5xx: the API server is overloaded. 403: a right is missing. 0: it did not answer.",
            (Query(total(rate(API_REQUESTS, JOBS), "code"), "{{code}}"),),
            Look(
                lowest=0,
                colors={"200": "green", "201": "blue", "404": "yellow", "409": "orange", "500": "red", "0": "purple"},
            ),
        ),
        graph(
            "API requests per second, by what they do",
            "The ten most frequent. A finished group costs none: a high rate with few running groups is worth a"
            " report.",
            (Query(top(10, total(rate(API_REQUESTS, JOBS), "verb", "resource")), "{{verb}} {{resource}}"),),
            Look(lowest=0),
        ),
        graph(
            "Time of an API request",
            "99 % are faster, of the ten slowest kinds, without the wait for a turn. Above the line: the API server or"
            " etcd is slow.",
            (Query(top(10, quantile(0.99, API_SECONDS, JOBS, by=("verb", "resource"))), "{{verb}} {{resource}}"),),
            Look(unit="s", limits=((_SLOW, "red"),), lowest=0),
        ),
        graph(
            "What waits for a turn",
            "Requests that wait for a connection: the API server is slow; lower `writesPerSecond`. Statuses and ledgers"
            " that wait within `writesPerSecond`, for long and with no requests waiting: raise it.",
            (
                Query(highest(select(API_WAITING, JOBS)), "requests"),
                Query(highest(select(BUDGET_WAITING, JOBS)), "statuses and ledgers"),
                Query(total(rate(BUDGET_DELAYED, JOBS)), "delayed per second"),
            ),
            Look(lowest=0),
        ),
    )


def redis() -> tuple[PanelBuilder, ...]:
    """Calls to all Redis servers in use, and what is put on queues there."""
    return (
        graph(
            "Round trip to Redis",
            "Over all servers in use. Above the line: a Redis or the network is slow; for the embedded one see the"
            " dashboard Redis.",
            (*quantiles(REDIS_SECONDS, JOBS), Query(mean(REDIS_SECONDS, JOBS), "mean")),
            Look(unit="s", colors={**QUANTILE_COLORS, "mean": "text"}, limits=((_SLOW, "red"),), lowest=0),
        ),
        graph(
            "Failed calls per second",
            "Groups wait and go on by themselves. Look at the dashboard Redis, then at `kubectl describe tg` of groups"
            " whose BackendReachable is False.",
            (Query(total(rate(REDIS_ERRORS, JOBS)), "failed"),),
            Look(colors={"failed": "red"}, lowest=0),
            width=6,
        ),
        graph(
            "Servers in use and away",
            "Brokers, each with its result backend. Away above 0 for minutes: the server is down, or its Secret or its"
            " certificate is wrong.",
            (
                Query(total(select(REDIS_SERVERS, JOBS)), "in use"),
                Query(total(select(REDIS_UNREACHABLE, JOBS)), "away"),
            ),
            Look(lowest=0, decimals=0, colors={"in use": "gray", "away": "red"}),
            width=6,
        ),
        graph(
            "Messages put on queues",
            "Bytes per second. Compare with the network of Redis; a peak at the start of a large group is normal.",
            (Query(total(rate(DISPATCH_BYTES, JOBS)), "bytes"),),
            Look(unit="Bps", lowest=0),
            width=6,
        ),
        graph(
            "Batches put on queues",
            "Per second; each is one call to Redis. Many with few bytes: windows are small.",
            (Query(total(rate(DISPATCH_BATCHES, JOBS)), "batches"),),
            Look(lowest=0),
            width=6,
        ),
        graph(
            "Time of a batch",
            "One call that puts messages on a queue. Above the line: Redis is slow, or messages are large.",
            quantiles(DISPATCH_SECONDS, JOBS),
            Look(unit="s", colors=QUANTILE_COLORS, limits=((_SLOW, "red"),), lowest=0),
        ),
    )


def results() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Age of counts over time",
            "How old the counts are at most. It climbs: the sweep of one backend fails or hangs; see Looks for results"
            " that failed.",
            (Query(highest(select(COUNTS_AGE, JOBS)), "oldest counts"),),
            Look(unit="s", limits=((30, "red"),), colors={"oldest counts": "blue"}, lowest=0),
        ),
        graph(
            "Time of a look for results",
            "Of one backend. It grows with the items in flight; above the line counts come late.",
            quantiles(SWEEP_SECONDS, JOBS),
            Look(unit="s", colors=QUANTILE_COLORS, limits=((_SLOW, "red"),), lowest=0),
        ),
        graph(
            "Items asked for, ends found",
            "Items of the last looks, over all backends, and ends that looks found per second. Many asked and none"
            " found: workers do not finish, or write to another backend.",
            (
                Query(highest(select(SWEEP_ITEMS, JOBS)), "asked for"),
                Query(total(rate(SWEEP_ENDED, JOBS)), "found per second"),
            ),
            Look(colors={"asked for": "gray", "found per second": "green"}, lowest=0),
        ),
        graph(
            "Looks for results that failed",
            "Per second. The next look finds what this one missed; a line that stays up leads to old counts.",
            (Query(total(rate(SWEEP_ERRORS, JOBS)), "failed"),),
            Look(colors={"failed": "red"}, lowest=0),
        ),
        graph(
            "Ledger saves per second",
            "success, conflict or error. Conflicts that stay: a second operator writes; see Leaders. Errors: the API"
            " server refuses.",
            (Query(total(rate(LEDGER_SAVES, JOBS), "result"), "{{result}}"),),
            Look(colors=_RESULT_COLORS, lowest=0),
        ),
        graph(
            "Ledger that waits longest",
            "How long the ledger has waited that has waited longest to be saved. Above the line a restart would read"
            " much again: see What waits for a turn.",
            (Query(highest(select(LEDGER_UNSAVED, JOBS)), "waits"),),
            Look(unit="s", limits=((30, "red"),), colors={"waits": "blue"}, lowest=0),
            width=6,
        ),
        graph(
            "Bytes of saved ledgers",
            "Per second: what etcd has to write. Much: fewer groups at once, or a lower `writesPerSecond`.",
            (Query(total(rate(LEDGER_BYTES, JOBS)), "bytes"),),
            Look(unit="Bps", lowest=0),
            width=6,
        ),
    )
