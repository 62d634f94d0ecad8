"""How many items must succeed and how many may fail: known as soon as nothing that is left can change it."""

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.ledger import Ledger


def needed(total: int, spec: TaskGroupSpec) -> int:
    """How many items have to succeed."""
    policy = spec.success_policy
    if policy is None:
        return total
    return policy.succeeded_count or -(-total * (policy.succeeded_percent or 100) // 100)


def is_met(ledger: Ledger, spec: TaskGroupSpec) -> bool:
    """Enough items have succeeded. That stays so once the rest was cancelled for it, before a callback.

    In a group that was retried items may be cancelled for other reasons.
    """
    if spec.success_policy is not None and ledger.cancelled and not ledger.again_id:
        return True
    return len(ledger.succeeded) >= needed(ledger.total, spec)


def is_out_of_reach(ledger: Ledger, spec: TaskGroupSpec) -> bool:
    """Too many have ended otherwise for a success policy; without one all items run, whatever fails."""
    if spec.success_policy is None or is_met(ledger, spec):
        return False
    return ledger.total - len(ledger.failed) - len(ledger.cancelled) < needed(ledger.total, spec)


def exceeds(ledger: Ledger, spec: TaskGroupSpec) -> bool:
    """More items have failed than the spec bears."""
    return spec.max_failed_items is not None and len(ledger.failed) > spec.max_failed_items


def without_rest(ledger: Ledger, spec: TaskGroupSpec) -> Ledger:
    """Once enough have succeeded nothing else is run, so that what follows the items can begin."""
    return ledger.cancelled_rest() if ledger.unfinished and is_met(ledger, spec) else ledger


def flaw(spec: TaskGroupSpec, total: int) -> str | None:
    """Why no group of so many items can succeed."""
    wanted = needed(total, spec)
    if wanted <= total:
        return None
    return f"spec.successPolicy.succeededCount ({wanted}) is more than the {total} items: lower it, or append items."
