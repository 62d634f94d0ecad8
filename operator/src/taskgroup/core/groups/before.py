"""What runs before the items: a stage that begins with the group, and holds all items until it has succeeded."""

from dataclasses import replace

from taskgroup.api.status import StageStatus
from taskgroup.core.completions import Completions
from taskgroup.core.groups import item_hooks
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.stage_progress import failed_with, has_ended, stage_status, to_release
from taskgroup.core.hooks import HOOK_UNITS
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS, Stage
from taskgroup.core.units import Units


def before_status(seen: Observed, ledger: Ledger, work: Work) -> StageStatus | None:
    """What became of it, None where there is none: a result that nothing can be run with is its failure.

    Once all items have ended only the callback may still want it, for the outcome.
    """
    is_wanted = bool(ledger.unfinished or not ledger.total or work.stage(Stage.CALLBACK) & work.using_before)
    if seen.before_flaw is not None and is_wanted:
        return failed_with(seen.before_flaw.reason, seen.before_flaw.message)
    return stage_status(Stage.BEFORE, ledger, work, seen.results.get(Stage.BEFORE))


def is_open(ledger: Ledger, work: Work) -> bool:
    """Whether there is one that has not ended."""
    before = stage_status(Stage.BEFORE, ledger, work)
    return before is not None and not has_ended(before)


def to_begin(ledger: Ledger, work: Work) -> Units:
    """Its first unit, until it was let go."""
    return to_release(Stage.BEFORE, ledger) if work.stage(Stage.BEFORE) else NONE


def held_back(ledger: Ledger, work: Work) -> Units:
    """The items that wait for it, and the hooks of those that ended before it had to run again."""
    return full(ledger.total) | (work.units & HOOK_UNITS) if is_open(ledger, work) else NONE


def without_flawed_hooks(seen: Observed, ledger: Ledger, work: Work, in_flight: Units, now: float) -> Ledger:
    """The books in which hooks have failed that wait to be sent with a result that cannot be had."""
    if seen.before_flaw is None or ledger.unfinished:
        return ledger
    waiting = (item_hooks.pending(ledger, work) & work.using_before) - in_flight
    return ledger.units_failed_with(seen.before_flaw, waiting, now)


def is_result_new(seen: Observed, work: Work) -> bool:
    """Whether items were found in its result that the written status does not know: it is written before they run."""
    known = seen.status.items
    return work.found_items and (known is None or known.count != work.total)


def only_stages(seen: Observed) -> Observed:
    """Without ends of items: while their list is not known, nobody can tell which ends are theirs."""
    failed = {unit: why for unit, why in seen.completions.failed.items() if unit in STAGE_UNITS}
    return replace(seen, completions=Completions(seen.completions.succeeded & STAGE_UNITS, failed))
