"""The question to a worker how it acknowledges tasks. It takes a second, so it is asked beside the loop."""

import asyncio
import logging
import time

from taskgroup.broker.inspection import early_tasks
from taskgroup.connections.linking import Link
from taskgroup.core.groups.observed import Observed
from taskgroup.groups.memory import Memory
from taskgroup.transport.errors import BrokerError

_WAIT_SECONDS = 1.0
_AGAIN_SECONDS = 60.0
_log = logging.getLogger("taskgroup")


def start_question(memory: Memory, seen: Observed, link: Link, pod: str) -> None:
    """Ask, unless it was asked a moment ago; the answer is in `memory.early` for a later look."""
    if time.monotonic() - memory.asked >= _AGAIN_SECONDS:
        memory.asked = time.monotonic()
        memory.asking = asyncio.create_task(_ask(memory, seen, link, pod))


async def _ask(memory: Memory, seen: Observed, link: Link, pod: str) -> None:
    compiled, address = memory.compiled, link.address
    try:
        early = await early_tasks(address.broker_url, f"celery@{pod}", _WAIT_SECONDS, address.broker_options)
    except BrokerError as error:
        _log.info("%s/%s: worker %s could not be asked: %s", seen.meta.namespace, seen.meta.name, pod, error)
        return
    if early is not None and memory.compiled is compiled:
        memory.early = early
        link.subscription.wake()
