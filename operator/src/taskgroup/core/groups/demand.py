"""What a group asks of its pool, for each phase of its life."""

from dataclasses import replace

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.exchange import Demand
from taskgroup.core.groups import before, item_hooks
from taskgroup.core.groups.callback import is_open
from taskgroup.core.groups.outcome import Verdict, is_cut_off
from taskgroup.core.groups.retrying import far
from taskgroup.core.groups.suspects import suspects
from taskgroup.core.groups.unknown_task import held_back
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.units import ITEM_UNITS, Units

SUSPENDED = Demand(reason="The group is suspended.")


def while_running(
    ledger: Ledger,
    work: Work,
    spec: TaskGroupSpec,
    now: float,
    *,
    put_off: Units = NONE,
    still_running: int | None = None,
) -> Demand:
    """Workers follow what is left to do; of what is sent one at a time one counts, of what is due much later none.

    `put_off` are units whose countdown is that long; `still_running` are the messages of items that run once the
    outcome is known, and nothing but hooks is sent.
    """
    is_paced = spec.rate_limit is not None
    if spec.suspend:
        return replace(SUSPENDED, over=ledger.over, anew=is_paced)
    one_by_one = (held_back(ledger, work) | suspects(ledger, spec).all) & (ledger.returned - put_off)
    alone = len(one_by_one & ITEM_UNITS)
    items = max(0, ledger.open_entries - max(0, alone - 1) - far(ledger, now) - len(put_off & ITEM_UNITS))
    chunks = f" in {ledger.open_entries} messages" if ledger.chunks.size > 1 else ""
    reason = f"{ledger.unfinished} items are left{chunks}, {spec.workers.concurrency} at once in a pod."
    pending = item_hooks.pending(ledger, work) - put_off
    hooks = len(pending) - max(0, len(one_by_one & pending) - 1)
    if hooks and (still_running is not None or not ledger.unfinished):
        items, reason = still_running or 0, f"{len(pending)} hooks of items are left."
    once = 0 if put_off & STAGE_UNITS else 1
    if before.is_open(ledger, work):
        items, reason = once, "spec.before comes first."
    elif not ledger.unfinished and is_open(ledger, work, spec):
        items, reason = once, "The callback is left."
    asked = items + hooks
    return Demand(items=asked, leftovers=not asked, over=ledger.over, anew=is_paced, reason=reason)


def after_end(status: TaskGroupStatus, verdict: Verdict | None, ledger: Ledger, *, is_cut: bool = False) -> Demand:
    """No workers, but for what the items' own tasks put on the queue and nobody has run yet.

    What a dead worker held would keep another one waiting for ever, so it is given back. Neither when the end came
    before some items or their hooks had ended: what is left was cancelled. `is_cut` says so before the status does.
    """
    is_whole, reason = not (is_cut or is_cut_off(status, verdict)), "The group has ended."
    leftovers = verdict is not None and is_whole
    return Demand(ended=True, leftovers=leftovers, give_back=is_whole, over=ledger.over, reason=reason)
