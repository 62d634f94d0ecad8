"""Whether to start a pod that reads the items of spec.itemsFrom, or to remove it."""

from taskgroup.core.action import Action
from taskgroup.core.groups.plan import ReadItems, StopReading
from taskgroup.core.reading import Reading


def actions(reading: Reading) -> tuple[Action, ...]:
    """A pod that has ended goes; another one is started when there is none."""
    if reading.pods and (reading.is_read or reading.error or reading.has_ended):
        return (StopReading(reason="The items are read." if reading.is_read else "It has left no items."),)
    if not reading.pods and not reading.is_read and (not reading.error or reading.is_due):
        return (ReadItems(reason="The items stand outside of the TaskGroup."),)
    return ()
