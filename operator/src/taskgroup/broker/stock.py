"""What the operator has to know of Celery, without Celery's code: that takes 5 MB, and a part of each start.

Tests compare it with Celery itself.
"""

RESERVED_HEADERS = frozenset({
    "_children", "_filter_x_death_headers", "_get_custom_headers", "_protected", "args", "argsrepr",
    "as_execution_options", "callbacks", "called_directly", "chain", "children", "chord", "clear", "compression",
    "correlation_id", "delivery_info", "errbacks", "eta", "expires", "get", "group", "group_index", "headers",
    "hostname", "id", "ignore_result", "is_eager", "kwargs", "kwargsrepr", "lang", "logfile", "loglevel", "origin",
    "parent_id", "properties", "redelivered", "replaced_task_nesting", "reply_to", "retries", "root_id", "shadow",
    "soft_time_limit", "stamped_headers", "stamps", "task", "taskset", "time_limit", "timelimit", "update", "utc",
})  # fmt: skip
"""Header names that Celery gives a meaning to; `options.headers` must not use them."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def rate(text: str) -> float:
    """A rate limit as Celery writes it, such as 10/m, in runs a second; ValueError or KeyError for anything else."""
    count, _, unit = text.partition("/")
    return float(count) / _UNITS[unit]
