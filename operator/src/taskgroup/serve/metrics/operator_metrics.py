"""The metrics of the operator itself. None has a label that a tenant can fill with words of his own."""

from taskgroup.serve.metrics.definitions import counter, gauge, histogram

_FAST = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
_LOOPS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)

# All groups

GROUPS = gauge("groups", "TaskGroups by state.", "namespace", "state")
FINISHED = counter("groups_finished_total", "TaskGroups that ended as Complete or Failed.", "namespace", "outcome")
SHOWN = gauge("groups_with_series", "TaskGroups that have series of their own.")
HIDDEN = gauge(
    "groups_without_series",
    "TaskGroups that are added up as `other`, as there are more than metrics.maxGroups; no alert looks at them.",
)

# Dispatch, results, ledgers

DISPATCH_BATCHES = counter("dispatch_batches_total", "Batches of messages put on a queue in one call.")
DISPATCH_BYTES = counter("dispatch_bytes_total", "Bytes of these messages.")
DISPATCH_SECONDS = histogram(
    "dispatch_duration_seconds", "Time of one call that puts messages on a queue.", buckets=_FAST
)
SWEEP_SECONDS = histogram("sweep_duration_seconds", "Time of one look for results in one backend.", buckets=_FAST)
SWEEP_ITEMS = gauge("sweep_items", "Items that the last looks asked for, over all backends.")
SWEEP_ENDED = counter("sweep_ended_items_total", "Ends of items that the looks found.")
SWEEP_ERRORS = counter("sweep_errors_total", "Looks for results that failed.")
COUNTS_AGE = gauge(
    "counts_age_seconds",
    "How old the counts are at most: since the last good look of the backend that was read least recently.",
)
LEDGER_SAVES = counter("ledger_saves_total", "Saves of a ledger, as success, conflict or error.", "result")
LEDGER_BYTES = counter("ledger_saved_bytes_total", "Bytes of the saved ledgers.")
LEDGER_UNSAVED = gauge("ledger_unsaved_seconds", "How long the ledger has waited that has waited longest to be saved.")

# Loops

RECONCILES = counter(
    "reconcile_total",
    "Looks at a group (controller `taskgroup`) or its workers (`workers`), as success, conflict or error.",
    "controller",
    "result",
)
RECONCILE_ERRORS = counter(
    "reconcile_errors_total",
    "Looks that failed, by what failed: kubernetes, broker or bug.",
    "controller",
    "kind",
)
RECONCILE_SECONDS = histogram(
    "reconcile_duration_seconds",
    "Time of one look by its steps: observe, decide, apply.",
    "controller",
    "step",
    buckets=_LOOPS,
)
LOOP_LAG = histogram(
    "event_loop_lag_seconds",
    "How late the event loop comes to what is due; looked at four times a second.",
    buckets=_FAST,
)
BUDGET_WAITING = gauge("status_writes_waiting", "Statuses and ledgers that wait for their turn within writesPerSecond.")
BUDGET_DELAYED = counter("status_writes_delayed_total", "Statuses and ledgers that had to wait for their turn.")

# The API server

API_REQUESTS = counter(
    "api_requests_total", "Requests to the API server; code 0: it did not answer.", "verb", "resource", "code"
)
API_SECONDS = histogram(
    "api_request_duration_seconds",
    "Time of a request to the API server, without the wait for a turn.",
    "verb",
    "resource",
    buckets=_FAST,
)
API_WAITING = gauge("api_requests_waiting", "Requests that wait for a connection to the API server.")

# Redis, of all servers in use together: brokers and result backends. Whose they are is in the groups' conditions

REDIS_SERVERS = gauge("redis_servers", "Brokers, each with its result backend, that groups use now.")
REDIS_UNREACHABLE = gauge(
    "redis_servers_unreachable", "Those of them whose results could not be read at the last look."
)
REDIS_SECONDS = histogram("redis_round_trip_seconds", "Time of one call to Redis.", buckets=_FAST)
REDIS_ERRORS = counter("redis_errors_total", "Calls to Redis that failed.")

# The process

LEADER = gauge("leader", "1 in the process that leads, 0 in one that stands by.")
LEASE_TRANSITIONS = counter("lease_transitions_total", "How often this process began or ceased to lead.")
BUILD = gauge("build_info", "1; the labels say what runs.", "version", "python", "kopf", "celery")
