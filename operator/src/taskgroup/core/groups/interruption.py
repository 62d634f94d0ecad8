"""Attempts that ended because the broker or the result backend was away: they say nothing of their items.

A task that retries, or starts a subtask, publishes a message; while Redis is away that fails, and Celery stores the
failure once Redis is back. Such an item gets a new attempt, several times at most.
"""

from collections.abc import Mapping

from taskgroup.core.completions import Failure

MAX_INTERRUPTIONS = 5
"""Of one item; the next such end counts as its failure."""
_KINDS = ("OperationalError", "ConnectionError", "TimeoutError")
"""Of kombu and of redis-py. Other libraries use the same names, so the text must name a server of the group."""
_REJECTED = ("OperationalError(", "AttributeError(\"'NoneType' object has no attribute 'client'\")")
"""How the reason begins that Celery gives when a retry's message was not published; kombu says the latter of a channel
that was closed under it."""


def is_interruption(failure: Failure, servers: frozenset[str]) -> bool:
    """Whether the broker, and not the task, ended an attempt; `servers` as redis-py writes them: host:port."""
    if failure.reason == "Reject":
        return failure.message.startswith(_REJECTED)
    return failure.reason in _KINDS and any(server in failure.message for server in servers)


def may_repeat(interruptions: Mapping[int, int], index: int) -> bool:
    """Whether the item gets another attempt for it."""
    return interruptions.get(index, 0) < MAX_INTERRUPTIONS
