"""The items of a group in the chunks that its status remembers."""

from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.items.chunking import chunks_now
from taskgroup.core.items.work import Work


def cut_now(work: Work | None, status: TaskGroupStatus) -> Work | None:
    """The work as its group goes on: appended items begin chunks of their own."""
    if work is None or work.chunking.size == 1:
        return work
    return work.cut(chunks_now(work.chunking, status, work.total))
