"""The search for items that are nowhere. It asks the workers, which takes seconds, so it runs beside the loop."""

import asyncio
import logging
import time

from pyroaring import FrozenBitMap

from taskgroup.broker.inspection import active_ids
from taskgroup.broker.keys import task_id
from taskgroup.connections.linking import Link
from taskgroup.core.groups.observed import Observed, PodFacts, Suspicion
from taskgroup.core.groups.recovery import container
from taskgroup.core.items.work import Work
from taskgroup.groups.memory import Memory
from taskgroup.groups.observe import keys_of
from taskgroup.results.redis_results import PENDING
from taskgroup.transport.errors import BrokerError

_INSPECT_SECONDS = 1.0
_log = logging.getLogger("taskgroup")


def start_search(memory: Memory, seen: Observed, link: Link, work: Work) -> None:
    """Begin a search unless one is under way; what it finds is in `memory.suspicions` for a later look."""
    if memory.search is None or memory.search.done():
        memory.search = asyncio.create_task(_search(memory, seen, link, work))


async def _search(memory: Memory, seen: Observed, link: Link, work: Work) -> None:
    before, began = memory.suspicions, time.time()
    try:
        absent, silent = await _absent(memory, seen, link, work)
    except BrokerError as error:
        _log.info("%s/%s: the search for missing items stopped: %s", seen.meta.namespace, seen.meta.name, error)
        return
    # Items that were dispatched again meanwhile were found nowhere before that, not after.
    if memory.suspicions is before:
        memory.suspicions = (*before[-1:], Suspicion(began, absent, silent))
    if absent:
        link.subscription.wake()


async def _absent(memory: Memory, seen: Observed, link: Link, work: Work) -> tuple[FrozenBitMap, frozenset[str]]:
    """In no list, in no worker's hands, without a result, asked in the order in which an item moves on.

    And the containers that did not say what they run.
    """
    uid, attempts, in_flight = seen.meta.uid, memory.ledger.attempts, memory.ledger.in_flight(work.lanes)
    pods = seen.workers.pods
    present = await link.backend.broker.present(keys_of(uid, link), [pod.name for pod in pods])
    ids = {task_id(uid, index, attempts.get(index, 0)): index for index in in_flight}
    # Most of what is absent has ended by now; the workers are asked about the rest only, and then once more the
    # results, because an item may end between two questions.
    absent = await _without_result(link, {name: index for name, index in ids.items() if name not in present})
    absent, silent = await _unclaimed(link, absent, [pod for pod in pods if not pod.ended])
    lost = await _without_result(link, absent)
    return FrozenBitMap(lost.values()), silent


async def _without_result(link: Link, ids: dict[str, int]) -> dict[str, int]:
    codes = await link.backend.results.classify(list(ids))
    return {name: index for (name, index), code in zip(ids.items(), codes, strict=True) if code == PENDING}


async def _unclaimed(link: Link, absent: dict[str, int], pods: list[PodFacts]) -> tuple[dict[str, int], frozenset[str]]:
    """What no worker says it has; tasks that are acknowledged early are only known to their worker."""
    if not absent:
        return {}, frozenset()
    hosts = {f"celery@{pod.name}": container(pod) for pod in pods}
    answers = await active_ids(link.address.broker_url, list(hosts), _INSPECT_SECONDS, link.address.broker_options)
    claimed = set[str]().union(*answers.values())
    silent = frozenset(life for host, life in hosts.items() if host not in answers)
    return {name: index for name, index in absent.items() if name not in claimed}, silent
