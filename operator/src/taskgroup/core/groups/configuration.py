"""What in the spec contradicts the group's own past."""

from taskgroup.api.names import Reason
from taskgroup.core.groups import changed_source
from taskgroup.core.groups.observed import Observed
from taskgroup.core.items.chunks import MAX_STARTS
from taskgroup.core.items.work import Work
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.trouble import Trouble


def trouble(seen: Observed) -> Trouble | None:
    """Why the group cannot go on as it is written, or None."""
    if seen.invalid is not None:
        return seen.invalid
    known, work = seen.status.items, seen.work
    if work is None or known is None or work.awaits_items or phase_of(seen.status) is not Phase.RUNNING:
        return None
    if work.total >= known.count and work.digest(known.count) == known.sha256:
        return _too_many_starts(work)
    if work.found_items:
        return None
    if other := changed_source.difference(seen):
        return Trouble(Reason.SOURCE_CHANGED, other)
    return Trouble(
        Reason.ITEMS_CHANGED,
        f"The template or the first {known.count} items are not those that the group started with:"
        " put them back (items may only be appended), or create a new TaskGroup.",
    )


def _too_many_starts(work: Work) -> Trouble | None:
    """The status remembers where appended items began a chunk, and has room for so many."""
    if len(work.chunks.starts) <= MAX_STARTS:
        return None
    text = (
        f"Items were appended more than {MAX_STARTS} times in numbers that do not fill their last chunk: take the last"
        " ones away, and append a multiple of chunkSize."
    )
    return Trouble(Reason.ITEMS_CHANGED, text)


def appended_after_end(seen: Observed) -> Trouble | None:
    """Items appended to a group whose outcome is known change nothing any more."""
    known, work = seen.status.total, seen.work
    if known is None or work is None or work.total <= known:
        return None
    return too_late(work.total - known, "after the group had ended")


def too_late(count: int, when: str) -> Trouble:
    """Items that are not taken any more."""
    text = f"{count} items were appended {when} and are ignored: create a new TaskGroup for them."
    return Trouble(Reason.GROUP_ENDED, text)
