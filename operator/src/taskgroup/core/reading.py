"""What is known of items that a pod has to read before anybody knows them."""

from dataclasses import dataclass

from taskgroup.api.names import Reason
from taskgroup.core.trouble import Trouble

LOOK_SECONDS = 1.0
"""Between two looks at a pod that reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of the items of spec.itemsFrom, and of the pod that reads them."""

    pods: int = 0
    """Pods that there are for it, ended ones included."""
    has_ended: bool = False
    """All of them have, and left nothing."""
    is_read: bool = False
    """The items are known."""
    error: str = ""
    """Why they could not be read, as a sentence."""
    hindrance: str = ""
    """What keeps the pod from running, as a sentence."""
    is_due: bool = True
    """After an error: it is time to try again."""


def trouble(reading: Reading | None) -> Trouble | None:
    """Why the group waits; None while all is well."""
    if reading is None or not (reading.error or reading.hindrance):
        return None
    return Trouble(Reason.SOURCE_UNREADABLE, f"spec.itemsFrom: {reading.error or reading.hindrance}")


def wake_after(reading: Reading, seconds: float) -> float:
    """Seconds until the next look, otherwise in `seconds`: a pod tells nobody when it is done."""
    return seconds if reading.is_read or reading.error else min(seconds, LOOK_SECONDS)
