"""The search for missing items. It asks the workers, which takes seconds, so it runs beside the loop."""

import asyncio
import logging
from collections.abc import Iterable

from pyroaring import FrozenBitMap

from taskgroup.connections.linking import Link
from taskgroup.core.exchange import View
from taskgroup.core.groups.observed import Observed, Suspicion
from taskgroup.core.items.work import Work
from taskgroup.core.task_id import newest_id
from taskgroup.groups.inline_pool import route_of
from taskgroup.groups.memory import Memory, Searches
from taskgroup.transport.errors import BrokerError

_INSPECT_SECONDS = 1.0
_log = logging.getLogger("taskgroup")


def start(memory: Memory, seen: Observed, link: Link, work: Work, now: float) -> None:
    """Begin a search unless one is under way; its result is in `suspicions` for a later look."""
    if memory.searches.task is None or memory.searches.task.done():
        memory.searches.task = asyncio.create_task(_search(memory, seen, link, work, now))


def reset(searches: Searches) -> None:
    """Items that were found missing are dispatched again: older results say nothing of that."""
    searches.suspicions = ()


def told_strays(searches: Searches) -> bool:
    """Whether the pool has to be told of pods that it does not know of; it is told once."""
    found, searches.strays = searches.strays, False
    return found


async def _search(memory: Memory, seen: Observed, link: Link, work: Work, now: float) -> None:
    searches, view = memory.searches, seen.view or View()
    before = searches.suspicions
    try:
        absent = await _absent(memory, seen, view, link, work)
    except BrokerError as error:
        _log.info("%s: the search for missing items stopped: %s", seen.meta, error)
        return
    # Items that were dispatched again meanwhile were absent before that, not after.
    if searches.suspicions is before:
        searches.suspicions = (*before[-1:], Suspicion(now, absent))
    if absent or searches.strays:
        link.subscription.wake()


async def _absent(memory: Memory, seen: Observed, view: View, link: Link, work: Work) -> FrozenBitMap:
    """In no list, in no worker's hands, without a result, asked in the order in which an item moves on."""
    uid, ledger = seen.meta.uid, memory.record.ledger
    in_flight, attempts = ledger.in_flight(work.lanes), ledger.attempts
    present = await link.connection.groups.present(route_of(uid).pool, view.pods)
    ids = {newest_id(uid, unit, attempts): unit for unit in in_flight}
    # Most of what is absent has ended by now; the workers are asked about the rest only, and then once more the
    # results, because an item may end between two questions.
    absent = await _without_result(link, ids.keys() - present)
    claimed = await _claimed(link, view.live_pods) if absent else set[str]()
    absent = await _without_result(link, absent - claimed)
    if absent:
        absent -= await _held_by_strays(memory.searches, view, link, route_of(uid).pool)
    return FrozenBitMap(ids[name] for name in absent)


async def _held_by_strays(searches: Searches, view: View, link: Link, pool: str) -> set[str]:
    """Held by pods that came, took messages and went between two looks of the pool, which then gives these back.

    A pod may also be so new that the pool does not know it yet: by the next search it does.
    """
    pods = (await link.connection.pools.unacked_pods()).get(pool, set()) - set(view.pods)
    strays, searches.strangers = pods & searches.strangers, frozenset(pods)
    if strays:
        await link.connection.pools.remember_pods(pool, strays)
        searches.strays = True
    return await link.connection.groups.present(pool, sorted(pods)) if pods else set()


async def _without_result(link: Link, ids: Iterable[str]) -> set[str]:
    wanted = list(ids)
    return set(wanted) - (await link.connection.results.ended(wanted)).keys()


async def _claimed(link: Link, pods: frozenset[str]) -> set[str]:
    """Task ids that workers say they have: they may run what the broker has lost."""
    answers = await link.connection.inspection.active_ids(sorted(pods), _INSPECT_SECONDS)
    return set[str]().union(*answers.values())
