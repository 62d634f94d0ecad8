"""Looks at a group whose items have hooks."""

from typing import Any

from support.builders import (
    NOW,
    after,
    completions,
    ledger,
    look,
    only,
    queue,
    running,
    spec,
    view,
)
from taskgroup.core.completions import Completions
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Release
from taskgroup.core.hooks import Hook
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import Units

SUCCESS, FAILURE = Hook.ON_ITEM_SUCCESS, Hook.ON_ITEM_FAILURE
NOTE: dict[str, Any] = {"task": "shop.note"}
IGNORED = {"task": "shop.send", "options": {"ignoreResult": True}}
HOOKS = {"onItemSuccess": NOTE, "onItemFailure": NOTE}
WANTED = spec(10, **HOOKS)


def ended(*good: int, bad: Any = (), books: Ledger | None = None, wanted: Any = WANTED, **fields: Any) -> Observed:
    """A look at which these items have just ended."""
    fields = {"view": view(1), "queue": queue(held=1), **fields}
    return running(wanted, books or ledger(10, dispatched=10), completions=completions(good, bad), **fields)


def sent(seen: Observed, units: Units, **fields: Any) -> Observed:
    """The look after these hooks were sent."""
    plan = look(seen)
    books = plan.ledger.released_with(units).redispatched(units)
    return after(seen, plan, ledger=books, completions=Completions(), **fields)


def released(seen: Observed, now: float = NOW) -> Units:
    return Units.union(Units(), *(action.units for action in only(look(seen, now), Release)))
