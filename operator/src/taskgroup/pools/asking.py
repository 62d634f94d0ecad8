"""The question to a worker how it acknowledges tasks. It takes a second, so it is asked beside the loop."""

import asyncio
import logging

from taskgroup.connections.shared import Connection
from taskgroup.loops.meeting import Assignment, Meeting
from taskgroup.pools.memory import PoolMemory, Question
from taskgroup.transport.errors import BrokerError

_WAIT_SECONDS = 1.0
_AGAIN_SECONDS = 60.0
_log = logging.getLogger("taskgroup")


def start(memory: PoolMemory, assignment: Assignment, meeting: Meeting, pod: str, now: float) -> bool:
    """Ask, unless it was asked a moment ago (False); the answer is in `early_ack_tasks` for a later look."""
    connection, question = memory.intake.connection, memory.question
    if connection is None or now - question.asked < _AGAIN_SECONDS:
        return False
    question.asked = now
    question.task = asyncio.create_task(_ask(question, connection, assignment, meeting, pod))
    return True


def forget_other_image(question: Question, assignment: Assignment) -> None:
    """What a worker of another image said does not count."""
    workers = assignment.spec.workers if assignment.spec else None
    image = (workers.image, workers.app) if workers else question.image
    if image != question.image:
        question.image, question.early_ack_tasks = image, None


async def _ask(question: Question, connection: Connection, assignment: Assignment, meeting: Meeting, pod: str) -> None:
    image = question.image
    try:
        tasks = await connection.inspection.early_ack_tasks(pod, _WAIT_SECONDS)
    except BrokerError as error:
        _log.info("%s: worker %s could not be asked: %s", assignment.meta, pod, error)
        return
    if tasks is not None and question.image == image:
        question.early_ack_tasks = tasks
        meeting.pool.wake()
