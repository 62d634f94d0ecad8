"""How many groups there are in which state: of all that exist, also those at rest, which no loop looks at."""

from collections import Counter

from taskgroup.api.names import State


class Census:
    """Kept by what the watch tells of each group."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, str]] = {}

    def seen(self, uid: str, namespace: str, state: str | None) -> None:
        """The group is there, in this state."""
        self._groups[uid] = (namespace, state or State.PENDING)

    def gone(self, uid: str) -> None:
        """It is not any more."""
        self._groups.pop(uid, None)

    def counts(self) -> dict[tuple[str, ...], float]:
        """Namespace and state to the number of groups."""
        return dict(Counter(self._groups.copy().values()))
