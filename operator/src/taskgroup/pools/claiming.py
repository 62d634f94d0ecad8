"""The look at what workers claim: what their pods hold, what they say that they have, and what of it has a result.

It asks the workers, which takes seconds, so it runs beside the loop.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from taskgroup.connections.shared import Connection
from taskgroup.core.pools.claim_history import ClaimHistory, ClaimLook, Unacked
from taskgroup.core.pools.claims import noted
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Assignment, Meeting
from taskgroup.pools.memory import PoolMemory
from taskgroup.transport.errors import BrokerError

_WAIT_SECONDS = 1.0
_ID = re.compile(r"[^\n]{1,500}")
"""What may be a task's id: the texts come from Redis, where tenants can write."""
_log = logging.getLogger("taskgroup")

Held = Mapping[str, tuple[Unacked, ...]]


def start(memory: PoolMemory, assignment: Assignment, meeting: Meeting, pods: Sequence[str], clock: Clock) -> bool:
    """Begin a look unless one is under way (False); what it shows is in `claims` for a later look of the loop."""
    connection, claiming = memory.intake.connection, memory.claiming
    if connection is None or (claiming.task is not None and not claiming.task.done()):
        return False
    now = clock.now()
    claiming.history = replace(claiming.history, asked_at=now)
    claiming.task = asyncio.create_task(_look(memory, connection, assignment, meeting, pods, now))
    return True


async def _look(
    memory: PoolMemory,
    connection: Connection,
    assignment: Assignment,
    meeting: Meeting,
    pods: Sequence[str],
    now: float,
) -> None:
    """Without a readable result backend there is no look: what a worker has dropped may have ended unseen."""
    containers = {pod.name: pod.container for pod in memory.intake.workers.pods if pod.name in pods}
    try:
        look = await _seen(connection, assignment, containers, now)
    except BrokerError as error:
        _log.info("%s: workers could not be asked what they have: %s", assignment.meta, error)
        return
    outages = memory.intake.outages
    memory.claiming.history = noted(memory.claiming.history, look, outages[-1].until if outages else None)
    meeting.pool.wake()


async def _seen(connection: Connection, assignment: Assignment, containers: Mapping[str, str], now: float) -> ClaimLook:
    held = await connection.pools.unacked(assignment.meta.uid, list(containers))
    ended = await _ended(connection, held, frozenset())
    waiting = [pod for pod, entries in held.items() if any(entry.id not in ended for entry in entries)]
    claims = await connection.inspection.claims(waiting, _WAIT_SECONDS)
    # Once more: a task may have ended before its worker was asked.
    ended |= await _ended(connection, held, ended)
    return ClaimLook(at=now, containers=containers, held=held, claims=claims, ended=ended)


async def _ended(connection: Connection, held: Held, known: frozenset[str]) -> frozenset[str]:
    ids = {entry.id for entries in held.values() for entry in entries if _ID.fullmatch(entry.id)} - known
    return known | (await connection.results.ended(sorted(ids))).keys()


def forget(memory: PoolMemory) -> None:
    """The loop ends."""
    if memory.claiming.task is not None:
        memory.claiming.task.cancel()
    memory.claiming.history = ClaimHistory()
