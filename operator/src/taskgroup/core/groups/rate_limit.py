"""spec.rateLimit: an item is dispatched to an idle slot alone, when there is a token and no earlier item waits.

What a restart must not forget is in the ledger. It is saved before a dispatch where tokens are rare; where they are
frequent a new operator waits for the next one instead.
"""

from dataclasses import replace

from taskgroup.core.action import Action
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.observed import QueueState
from taskgroup.core.groups.plan import Dispatch, Redispatch, Withdraw
from taskgroup.core.tokens import Rate, Tokens, read_rate

SAVED_SECONDS = 10.0
"""Between two tokens, from which on each is saved before it is used."""
_SOON_SECONDS = 0.05
"""Between two looks for an item that was just dispatched and no worker has taken."""
_LATER_SECONDS = 1.0


def rate_of(context: Context) -> Rate | None:
    """The limit, if there is one."""
    return read_rate(context.spec.rate_limit) if context.spec.rate_limit else None


def looked(context: Context) -> Context:
    """With the tokens as they are after this look. What is not known for certain has started just now."""
    rate, tokens, queue = rate_of(context), context.ledger.tokens, context.seen.queue
    if rate is None or queue is None:
        return context
    is_first = context.seen.carried.paced_for != context.spec.rate_limit
    is_unsure = is_first and context.ledger.is_dispatched() and (rate.seconds < SAVED_SECONDS or not tokens.at)
    # A worker that is about to stop may take an item and give it back: one that has begun is held, or has ended.
    waits = bool(queue.queued) or queue.held < len(context.in_flight)
    if is_unsure or tokens.waits > waits:
        return replace(context, ledger=replace(context.ledger, tokens=Tokens(context.now)))
    if queue.queued and not tokens.waits:
        return replace(context, ledger=replace(context.ledger, tokens=Tokens(context.now, waits=True)))
    return context


def begun(context: Context, queue: QueueState) -> tuple[Action, ...] | None:
    """What a limit that is new to this operator does first: nobody knows when what waits will start.

    None when the limit is known, or there is none.
    """
    if context.seen.carried.paced_for == context.spec.rate_limit:
        return None
    if not context.spec.rate_limit or not queue.queued:
        return ()
    return (Withdraw(running=False, reason="What waits on the queue is paced from now on."),)


def allowed(context: Context, queue: QueueState, free: int) -> int:
    """How many of the items that the window has room for may be dispatched now."""
    rate, tokens, view = rate_of(context), context.ledger.tokens, context.seen.view
    if rate is None:
        return free
    if queue.queued or tokens.waits or view is None or _left(rate, tokens, context.now) > 0:
        return 0
    idle = view.ready * context.spec.workers.concurrency - queue.held
    return max(0, min(free, rate.batch, idle))


def _left(rate: Rate, tokens: Tokens, now: float) -> float:
    """Seconds until the next token."""
    return tokens.at + rate.seconds - now if tokens.at else 0.0


def spent(context: Context, actions: tuple[Action, ...]) -> tuple[Context, bool]:
    """With the token that these actions take, and whether that must be saved before."""
    rate = rate_of(context)
    if rate is None or not any(isinstance(action, Dispatch | Redispatch) for action in actions):
        return context, False
    ledger = replace(context.ledger, tokens=Tokens(context.now, waits=True))
    return replace(context, ledger=ledger), rate.seconds >= SAVED_SECONDS


def next_in(context: Context) -> float | None:
    """Seconds until something may be dispatched, as far as that is a matter of tokens."""
    rate, tokens, view = rate_of(context), context.ledger.tokens, context.seen.view
    if rate is None or context.spec.suspend or view is None or not view.ready:
        return None
    if tokens.waits:
        return _SOON_SECONDS if context.now - tokens.at < _LATER_SECONDS else _LATER_SECONDS
    left = _left(rate, tokens, context.now)
    return left if left > 0 else None
