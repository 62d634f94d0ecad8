"""The state in the broker is not the one that the ledger knows: not made yet, of another life, lost or erased."""

from dataclasses import replace

from taskgroup.api.names import EventReason, Reason
from taskgroup.core.groups import countdown, demand, recovery
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.finishing import decide
from taskgroup.core.groups.outcome import cut_short
from taskgroup.core.groups.plan import Event, Open, Plan
from taskgroup.core.groups.planning import FOLLOW_SECONDS, plan_for
from taskgroup.core.groups.showing import counted, shown
from taskgroup.core.indexes import NONE
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble


def plan_for_another_state(context: Context) -> Plan | None:
    """None where the broker has the state that the ledger knows, or could not be asked."""
    seen = context.seen
    if seen.state is not None and seen.state.deleted:
        return _erased(context)
    if seen.queue is not None and (seen.state is None or seen.state.nonce != context.ledger.nonce):
        return _differs(context)
    return None


def _erased(context: Context) -> Plan:
    """An operator has cleaned up after this group as after a deleted one: it can end, but not go on."""
    verdict = cut_short(context.ledger, context.spec, context.now)
    if verdict is not None:
        return decide(context.seen, shown(context), verdict, context.now)
    trouble = Trouble(
        Reason.STATE_ERASED,
        "The broker remembers that this TaskGroup was deleted, and runs nothing of it for a day:"
        " create a new TaskGroup under another name, and end this one with spec.cancel.",
    )
    told = replace(shown(context), configuration=trouble, needs_workers=False)
    return plan_for(context.seen, told, context.now, counted=counted(context))


def _differs(context: Context) -> Plan:
    """Not made yet, to be adopted, or lost."""
    state, ledger, nonce = context.seen.state, context.ledger, context.seen.fresh_nonce
    if not ledger.nonce and state is not None:
        return _opened(context, replace(ledger, nonce=state.nonce), "The state in the broker is taken over.")
    if not ledger.is_dispatched():
        return _opened(context, replace(ledger, nonce=ledger.nonce or nonce), "The group has no state there yet.")
    ledger = recovery.after_data_loss(ledger, ledger.ever_dispatched(context.work.lanes), nonce)
    text = (
        f"Redis lost this group's data: {ledger.count_items(ledger.returned)} items that had not ended are dispatched"
        " again. Give Redis a persistent volume and no eviction."
    )
    return _opened(context, ledger, "The broker lost the group's state.", Event(EventReason.DATA_LOST, text, True))


def _opened(context: Context, ledger: Ledger, reason: str, *extra_events: Event) -> Plan:
    context = replace(context, ledger=ledger, in_flight=NONE)
    # Foreign state that cannot be replaced (a tombstone) is there at the next look, too.
    wake_after = 0.0 if context.seen.state is None else FOLLOW_SECONDS
    return plan_for(
        context.seen,
        shown(context),
        context.now,
        save=True,
        actions=(Open(reason=reason),),
        demand=demand.while_running(ledger, context.work, context.spec, context.now, put_off=countdown.far(context)),
        extra_events=extra_events,
        wake_after=wake_after,
    )
