"""The metrics of single TaskGroups. Their series exist while the group lives, and `metrics.keepSeconds` longer.

Only the `metrics.maxGroups` groups that were active last have series of their own. All others are added up under the
labels namespace="" and taskgroup="other".
"""

from taskgroup.serve.metrics.definitions import Metric, counter, gauge, histogram

GROUP_LABELS = ("namespace", "taskgroup")
_RUN_BUCKETS = (0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0)
_DURATION_BUCKETS = (0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return gauge(name, text, *GROUP_LABELS, *labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return counter(name, text, *GROUP_LABELS, *labels)


# The group as a whole, as its status tells it

STATE = _gauge(
    "state", "1 for the state that the group is in: Pending, Running, Suspended, Complete or Failed.", "state"
)
CONDITION = _gauge(
    "condition",
    "1 when the condition is True, 0 when it is False, -1 when it is Unknown. Ready, ConfigurationValid,"
    " BackendReachable and WorkersReady, each with its reason.",
    "condition",
    "reason",
)
START = _gauge("start_timestamp_seconds", "When the group started; absent before.")
COMPLETION = _gauge("completion_timestamp_seconds", "When the group ended; absent before.")
DEADLINE = _gauge(
    "deadline_timestamp_seconds", "When activeDeadlineSeconds is over; absent without a deadline and while suspended."
)
ESTIMATE = _gauge(
    "estimated_completion_timestamp_seconds",
    "When the last item ends if items go on ending as fast as in the last minute; absent when nobody can tell.",
)

STAGE = _gauge(
    "stage",
    "1 for the state of what runs once for the group: the stage is before, callback or onFailure; the state Pending,"
    " Running, Succeeded, Failed or Cancelled.",
    "stage",
    "state",
)

# Items

ITEMS = _gauge(
    "items",
    "Items that are pending, active, retrying, succeeded, failed or cancelled now; their sum is all items.",
    "state",
)
ENDED = _counter(
    "items_ended_total",
    "Items that ended as succeeded, failed or cancelled. It is read from the status, so a restart of the operator does"
    " not begin it anew.",
    "outcome",
)
FAILURES = _counter(
    "item_failures_total",
    "Failed items by exception class, or Lost, Expired, Revoked; at most 10 classes of a group, the rest is `other`.",
    "reason",
)
STEPS_PASSED = _gauge(
    "items_past_step",
    "Items of which this step of their chain has succeeded; steps count from 0, and the last one is left out, as its"
    " success is the item's.",
    "step",
)
RATE_LIMIT = _gauge(
    "rate_limit_per_second", "Starts in a second that spec.rateLimit allows; absent without one and after the end."
)
RATE = _gauge(
    "items_ended_per_second",
    "Items that ended in a second, over the last minute, or over the whole run where fewer than 30 ended in that. It"
    " stays while none ends, until the estimate is over: for what happens now take the rate of items_ended_total.",
)
QUEUED = _gauge("queued_items", "Messages in the group's queue that no worker has taken.")
HELD = _gauge("held_items", "Messages that workers have taken and not acknowledged.")
WINDOW = _gauge("window_items", "How many items the operator lets be in flight now.")
OLDEST = _gauge(
    "oldest_active_seconds",
    "Since the dispatch of the item that has been in flight longest, of those that this process dispatched; 0 when none"
    " of them is in flight.",
)
DISPATCHED = _counter(
    "items_dispatched_total", "Items put on the queue for the first time since the operator began to lead."
)
REDISPATCHED = _counter("items_redispatched_total", "Items put on the queue again since the operator began to lead.")
WITHDRAWN = _counter("items_withdrawn_total", "Items taken off the queue since the operator began to lead.")
MISSING = _counter(
    "items_missing_total",
    "Items that two searches found nowhere, and that are dispatched again; since the operator began to lead.",
)
LOSSES = _counter("item_losses_total", "How often a worker died with an item since the operator began to lead.")
LOST = _counter(
    "items_lost_total", "Items that were given up because too many workers died with them; they are failed."
)
RETRIED = _counter("items_retried_total", "Retries by retryPolicy, each after a failure of the task.")
INTERRUPTED = _counter(
    "items_interrupted_total", "Attempts that ended because a worker could not reach Redis; none is an end."
)
RUN_SECONDS = histogram(
    "item_run_seconds",
    "From the start of an item's last attempt to its end, by the worker's clock; items that say it in their result.",
    *GROUP_LABELS,
    buckets=_RUN_BUCKETS,
)
DURATION_SECONDS = histogram(
    "item_duration_seconds",
    "From the dispatch of an item to the moment at which the operator saw its end; items that this process dispatched.",
    *GROUP_LABELS,
    buckets=_DURATION_BUCKETS,
)

# Workers

WORKERS_WANTED = _gauge("workers_wanted", "Worker pods that there should be.")
WORKERS_PRESENT = _gauge("workers_present", "Worker pods that have not ended.")
WORKERS_READY = _gauge("workers_ready", "Worker pods whose worker runs.")
WORKERS_BUSY = _gauge("workers_busy", "Worker pods that held an item at the last look.")
WORKER_SLOTS = _gauge("worker_slots", "Items that the wanted pods run at once.")
WORKER_TROUBLE = _gauge("worker_trouble", "1 for what keeps workers from running; absent when nothing does.", "reason")
WORKER_STARTS = _counter("worker_pods_started_total", "Worker pods that appeared since the operator began to lead.")
WORKER_RESTARTS = _counter(
    "worker_restarts_total", "Containers that ended in a worker pod and were started again in it."
)
