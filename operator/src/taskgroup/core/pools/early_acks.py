"""What a user should know of the workers while a group runs: tasks whose messages are acknowledged before they run.

The operator makes late acknowledgement the workers' default; a task that says otherwise, or that was bound before the
default reached it, keeps its own. Nothing is lost by it, but the death of a worker is then noticed late.
"""

from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Action, AskWorker
from taskgroup.core.ledger import Ledger

ASK_AFTER_SECONDS = 10.0
"""Of running time: groups that end sooner are not worth a question."""
_NAMES = 3


def ask(seen: Observed, ledger: Ledger, now: float) -> tuple[Action, ...]:
    """Once a worker has ended an item, it answers."""
    if seen.workers.early is not None or seen.broker is None or not ledger.ended:
        return ()
    if ledger.running_since is None or now - ledger.running_since < ASK_AFTER_SECONDS:
        return ()
    ready = (pod.name for pod in seen.workers.pods if pod.ready and not pod.ended and not pod.terminating)
    return tuple(AskWorker(name) for name in list(ready)[:1])


def warnings(seen: Observed) -> list[str]:
    """At most one sentence, about tasks of this group only."""
    if not seen.workers.early or seen.work is None:
        return []
    names = sorted({leaf.task for leaf in seen.work.kinds} & seen.workers.early)
    if not names:
        return []
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return [
        f"Acknowledged before they run: {', '.join(names[:_NAMES])}{more}. When a worker dies, their items are missed"
        " only after half a minute or more, then run again: set acks_late=True on the task to have them back at once."
    ]
