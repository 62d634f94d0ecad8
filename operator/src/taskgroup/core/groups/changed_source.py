"""A source that was read again and is another list now: what ran were items of the first, and two are never mixed."""

from taskgroup.core.groups.observed import Observed

_SHOWN = 12
"""Characters of a digest."""


def difference(seen: Observed) -> str | None:
    """How the list that was read differs from the one the group started with; None when it does not."""
    known, work, spec = seen.status.items, seen.work, seen.spec
    if known is None or work is None or spec is None or spec.items_from is None or not spec.items_from.is_external:
        return None
    found = work.digest(work.total)
    if (work.total, found) == (known.count, known.sha256):
        return None
    return (
        f"spec.itemsFrom is another list now: the group started with {known.count} items of digest"
        f" {known.sha256[:_SHOWN]}, and what was read again, because Redis had lost it, has {work.total} of digest"
        f" {found[:_SHOWN]}. Create a new TaskGroup for it."
    )
