"""What runs before the items: a stage that begins with the group, and holds all items until it has succeeded."""

from dataclasses import replace

from taskgroup.api.status import StageStatus
from taskgroup.core.completions import Completions
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.stage_progress import failed_with, has_ended, stage_status, to_release
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS, Stage
from taskgroup.core.units import Units


def before_status(seen: Observed, ledger: Ledger, work: Work) -> StageStatus | None:
    """What became of it, None where there is none: a result that nothing can be run with is its failure."""
    if seen.before_flaw is not None:
        return failed_with(seen.before_flaw.reason, seen.before_flaw.message)
    return stage_status(Stage.BEFORE, ledger, work, seen.results.get(Stage.BEFORE))


def is_open(ledger: Ledger, work: Work) -> bool:
    """Whether there is one that has not ended."""
    before = stage_status(Stage.BEFORE, ledger, work)
    return before is not None and not has_ended(before)


def to_begin(ledger: Ledger, work: Work) -> Units:
    """Its first unit, until it was let go."""
    return to_release(Stage.BEFORE, ledger) if work.stage(Stage.BEFORE) else NONE


def held_items(ledger: Ledger, work: Work) -> Indexes:
    """The items that wait for it."""
    return full(ledger.total) if is_open(ledger, work) else NONE


def is_result_new(seen: Observed, work: Work) -> bool:
    """Whether items were found in its result that the written status does not know: it is written before they run."""
    known = seen.status.items
    return work.found_items and (known is None or known.count != work.total)


def only_stages(seen: Observed) -> Observed:
    """Without ends of items: while their list is not known, nobody can tell which ends are theirs."""
    failed = {unit: why for unit, why in seen.completions.failed.items() if unit in STAGE_UNITS}
    return replace(seen, completions=Completions(seen.completions.succeeded & STAGE_UNITS, failed))
