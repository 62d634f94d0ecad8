"""What the status is told of a running group, before conditions and texts are made of it."""

from taskgroup.api.status import StageStatus
from taskgroup.core.completions import Completions
from taskgroup.core.groups import before, item_hooks, unknown_task
from taskgroup.core.groups.callback import is_open
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.stage_progress import stage_status
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import StatusInput


def shown(context: Context) -> StatusInput:
    """The group as it stands after this look's ends were counted."""
    ledger, work = context.ledger, context.work
    is_left = bool(ledger.unfinished or item_hooks.pending(ledger, work))
    is_left = is_left or before.is_open(ledger, work) or is_open(ledger, work, context.spec)
    return StatusInput(
        phase=Phase.RUNNING,
        ledger=context.ledger,
        active=context.ledger.count_items(context.in_flight),
        self_retried=context.ledger.count_items(context.in_flight & context.seen.self_retried),
        stages=stages_shown(context.seen, ledger, work),
        hooks=item_hooks.statuses(ledger, work),
        needs_workers=not context.spec.suspend and is_left,
        configuration=context.late or unknown_task.block(context.ledger),
    )


def stages_shown(seen: Observed, ledger: Ledger, work: Work) -> dict[Stage, StageStatus]:
    """What runs once for the group, as far as it has come."""
    found = {
        Stage.BEFORE: before.before_status(seen, ledger, work),
        Stage.CALLBACK: stage_status(Stage.CALLBACK, ledger, work, seen.results.get(Stage.CALLBACK)),
    }
    return {stage: status for stage, status in found.items() if status is not None}


def counted(context: Context) -> Completions:
    """Items whose renewal has to wait for the broker are shown again."""
    completions = context.seen.completions
    if context.seen.queue is not None:
        return completions
    back = context.unknown | context.interrupted
    waiting = {unit: failure for unit, failure in completions.failed.items() if unit in back}
    return completions.minus(Completions(failed=waiting))
