"""The Redis that the chart installs: whether it has room, works, and keeps what it was given."""

from dashboards.foreign import (
    REDIS_BLOCKED,
    REDIS_CLIENTS,
    REDIS_COMMAND_CALLS,
    REDIS_COMMAND_SECONDS,
    REDIS_COMMANDS,
    REDIS_EVICTED,
    REDIS_EXPIRED,
    REDIS_FRAGMENTATION,
    REDIS_INPUT,
    REDIS_KEYS,
    REDIS_MEMORY,
    REDIS_MEMORY_MAX,
    REDIS_OUTPUT,
    REDIS_REJECTED,
    REDIS_SAVED,
    REDIS_UNSAVED,
    REDIS_UP,
    REDIS_UPTIME,
)
from dashboards.panels import Look, PanelBuilder, Query, figure, graph, ranking
from dashboards.promql import growth_in_range, happened, highest, or_zero, rate, select, top, total
from dashboards.variables import JOBS, datasource, jobs
from dashboards.view import Section, View

_HAS_LIMIT = f"({select(REDIS_MEMORY_MAX, JOBS)} > 0)"
_FULL = ((0.75, "yellow"), (0.9, "red"))
_SHARE = f"{select(REDIS_MEMORY, JOBS)} / {_HAS_LIMIT}"


def _now() -> tuple[PanelBuilder, ...]:
    return (
        figure(
            "Up",
            "1 when the exporter could ask Redis. 0: look at its pod; groups wait and go on by themselves when it is"
            " back.",
            Query(f"min({select(REDIS_UP, JOBS)})"),
            Look(base="red", limits=((1, "green"),), texts={"1": ("up", "green"), "0": ("down", "red")}),
        ),
        figure(
            "Memory used",
            "Of maxmemory. At 100 % Redis refuses writes and no item can be sent: raise `redis.maxMemory` and the"
            " pod's limit, or let results be smaller.",
            Query(highest(_SHARE)),
            Look(unit="percentunit", decimals=0, base="green", limits=_FULL),
        ),
        figure(
            "Evictions",
            "Keys removed for lack of memory in the time shown. Any: messages or results were lost; maxmemory-policy"
            " must be noeviction.",
            Query(or_zero(total(growth_in_range(REDIS_EVICTED, JOBS)))),
            Look(decimals=0, base="green", limits=((1, "red"),)),
        ),
        figure(
            "Clients",
            "Open connections: the operator and each worker process hold a few. It only climbs: somebody does not"
            " close them.",
            Query(total(select(REDIS_CLIENTS, JOBS))),
        ),
        figure(
            "Refused clients",
            "Connections refused because of maxclients, in the time shown. Any: raise maxclients in"
            " `redis.extraConfig`.",
            Query(or_zero(total(growth_in_range(REDIS_REJECTED, JOBS)))),
            Look(decimals=0, base="green", limits=((1, "red"),)),
        ),
        figure(
            "Per second",
            "All that Redis processes. 0: nobody works with it.",
            Query(total(rate(REDIS_COMMANDS, JOBS))),
            Look(decimals=0),
        ),
        figure(
            "Keys",
            "Queues, books and results. It grows for days: results are kept for long; lower"
            " `ttlSecondsAfterFinished` of the TaskGroups.",
            Query(total(select(REDIS_KEYS, JOBS))),
        ),
        figure(
            "Has run for",
            "Short again and again: Redis is killed, often for memory; `kubectl describe pod` says why.",
            Query(f"min({select(REDIS_UPTIME, JOBS)})"),
            Look(unit="dthms"),
        ),
    )


def _memory() -> tuple[PanelBuilder, ...]:
    return (
        graph(
            "Memory used, beside maxmemory",
            "Used reaches the limit: writes are refused, nothing is sent. Raise `redis.maxMemory` and the pod's limit"
            " in time.",
            (
                Query(total(select(REDIS_MEMORY, JOBS)), "used"),
                Query(total(_HAS_LIMIT), "maxmemory"),
            ),
            Look(unit="bytes", colors={"used": "blue", "maxmemory": "red"}, lowest=0),
            width=6,
        ),
        graph(
            "Share of maxmemory used",
            "Of the fullest server. Above the upper line: raise `redis.maxMemory` and the pod's limit now.",
            (Query(highest(_SHARE), "used"),),
            Look(unit="percentunit", limits=_FULL, colors={"used": "blue"}, lowest=0, most=1),
            width=6,
        ),
        graph(
            "Keys removed",
            "In each step of the graph. Expired: results whose time was over, as it should be. Evicted: lost for lack"
            " of memory.",
            (
                Query(total(happened(REDIS_EXPIRED, JOBS, by=("instance",))), "expired"),
                Query(total(happened(REDIS_EVICTED, JOBS, by=("instance",))), "evicted"),
            ),
            Look(colors={"expired": "blue", "evicted": "red"}, lowest=0),
            bars=True,
        ),
        graph(
            "Keys by database",
            "By database. They rise with results and fall when results expire or groups are deleted.",
            (Query(f"{total(select(REDIS_KEYS, JOBS), 'db')} > 0", "{{db}}"),),
            Look(lowest=0),
        ),
        graph(
            "Fragmentation",
            "Resident memory divided by memory in use. Above the line the pod needs much more than Redis counts; a"
            " restart helps.",
            (Query(highest(select(REDIS_FRAGMENTATION, JOBS)), "ratio"),),
            Look(limits=((3, "yellow"),), lowest=0),
        ),
    )


def _work() -> tuple[PanelBuilder, ...]:
    seconds, calls = (total(rate(metric, JOBS), "cmd") for metric in (REDIS_COMMAND_SECONDS, REDIS_COMMAND_CALLS))
    return (
        graph(
            "Commands per second, by name",
            "The ten most frequent. EVALSHA is dispatch and looks for results, of which GETRANGE reads what ended; MGET"
            " reads values for callbacks; BRPOP are workers that take items.",
            (Query(top(10, total(rate(REDIS_COMMAND_CALLS, JOBS), "cmd")), "{{cmd}}"),),
            Look(lowest=0),
            stacked=True,
        ),
        graph(
            "Time of a command",
            "The mean of the ten slowest. Tens of milliseconds: Redis is busy with something large, or has too little"
            " CPU.",
            (Query(top(10, f"{seconds} / ({calls} > 0)"), "{{cmd}}"),),
            Look(unit="s", lowest=0),
        ),
        graph(
            "Clients over time",
            "Blocked clients are idle workers that wait for an item. Connected only climbs: somebody does not close"
            " connections.",
            (
                Query(total(select(REDIS_CLIENTS, JOBS)), "connected"),
                Query(total(select(REDIS_BLOCKED, JOBS)), "blocked"),
            ),
            Look(colors={"connected": "blue", "blocked": "gray"}, lowest=0),
        ),
        graph(
            "Network",
            "Bytes per second. Out far above in: large results are read again and again.",
            (
                Query(total(rate(REDIS_INPUT, JOBS)), "in"),
                Query(total(rate(REDIS_OUTPUT, JOBS)), "out"),
            ),
            Look(unit="Bps", colors={"in": "blue", "out": "green"}, lowest=0),
        ),
        ranking(
            "Time spent in commands",
            "Share of one core, the ten highest. One command near 100 %: Redis does nothing else, and everybody waits.",
            (Query(top(10, seconds), "{{cmd}}"),),
            Look(unit="percentunit", base="green", limits=((0.5, "yellow"), (0.8, "red")), lowest=0, most=1),
        ),
        graph(
            "Snapshots",
            "Changes that are in no snapshot yet. It only climbs: snapshots are off (then the append-only file holds"
            " the data) or fail for lack of disk.",
            (Query(highest(select(REDIS_UNSAVED, JOBS)), "changes since the last snapshot"),),
            Look(colors={"changes since the last snapshot": "orange"}, lowest=0),
            width=6,
        ),
        graph(
            "Age of the last snapshot",
            "Hours while much changes: see Snapshots; with persistence off there is none to wait for.",
            (Query(f"time() - min({select(REDIS_SAVED, JOBS)})", "age"),),
            Look(unit="s", colors={"age": "orange"}, lowest=0),
            width=6,
        ),
    )


def view() -> View:
    """The Redis servers of the chosen jobs."""
    return View(
        name="redis",
        uid="taskgroup-redis",
        title="Redis",
        purpose="The embedded Redis, as redis_exporter beside it sees it.",
        variables=(datasource(), jobs(REDIS_UP)),
        sections=(Section("Now", _now()), Section("Memory and keys", _memory()), Section("Work", _work())),
    )
