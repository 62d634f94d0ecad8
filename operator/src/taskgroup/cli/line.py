"""The line of one item in the results of a group."""

from typing import Any

from taskgroup.core.failure_groups import FailureGroup
from taskgroup.core.ledger import Ledger
from taskgroup.results.decode import StoredResult
from taskgroup.results.failures import failure

NOT_KEPT = "the value is not kept: ignoreResult, it has expired, or Redis lost its data"


def line_of(index: int, stored: StoredResult | None, ledger: Ledger, *, is_chain: bool = False) -> dict[str, Any]:
    """The line of one item: its outcome by the ledger, and its value if the backend still has it.

    Why a chain failed is in the ledger alone, which names the step; `stored` is of the last one.
    """
    if index in ledger.cancelled:
        return {"index": index, "status": "CANCELLED"}
    if index in ledger.succeeded:
        value = {"result": stored.value} if stored and stored.status == "SUCCESS" else {"note": NOT_KEPT}
        return {"index": index, "status": "SUCCESS", **value}
    if index in ledger.failed:
        return {
            "index": index,
            "status": "FAILURE",
            "error": _error(None if is_chain else stored, ledger.failure_of(index)),
        }
    return _unfinished(index, stored)


def _error(stored: StoredResult | None, failures: FailureGroup | None) -> str:
    if stored and stored.status != "SUCCESS":
        cause = failure(stored)
        return f"{cause.reason}: {cause.message}"
    return f"{failures.failure.reason}: {failures.failure.message}" if failures else "unknown"


def _unfinished(index: int, stored: StoredResult | None) -> dict[str, Any]:
    """The line of an item that the operator has not counted yet."""
    if stored is None:
        return {"index": index, "status": "PENDING"}
    if stored.status == "SUCCESS":
        return {"index": index, "status": stored.status, "result": stored.value}
    return {"index": index, "status": stored.status, "error": _error(stored, None)}
