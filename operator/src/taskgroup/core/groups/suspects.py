"""Items that workers died with: sent one at a time, so that only the one that kills them loses more.

A worker that runs several items dies of one of them, and all look alike. After SUSPECT_LOSSES they are sent one by
one, while the others go on. One that then loses again waits until nothing else runs, and is given up only when a worker
dies that ran nothing but it. The broker counts the losses, so a restart of the operator forgets nothing.
"""

from dataclasses import dataclass

from pyroaring import FrozenBitMap

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.exchange import SUSPECT_LOSSES
from taskgroup.core.indexes import NONE
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.pool_spec import loss_limit
from taskgroup.core.units import Units, units_from


@dataclass(frozen=True, slots=True)
class Suspects:
    """All items that are not sent side by side, and those of them that run when nothing else does."""

    all: Units = NONE
    last: Units = NONE


def suspects(ledger: Ledger, spec: TaskGroupSpec) -> Suspects:
    """Workers that run one item at a time leave no doubt."""
    if not ledger.losses or spec.workers.concurrency == 1:
        return Suspects()
    limit = loss_limit(spec)
    return Suspects(_lost(ledger, min(SUSPECT_LOSSES, limit)), _lost(ledger, limit))


def _lost(ledger: Ledger, least: int) -> Units:
    members = units_from(unit for unit, losses in ledger.losses.items() if losses >= least)
    return (members & ledger.units) - ledger.over


def next_suspect(ledger: Ledger, suspected: Suspects, in_flight: Units, held_back: Units) -> Units:
    """The one suspect that may be sent now, if any."""
    waiting = (ledger.returned & suspected.all) - held_back
    if not waiting or in_flight.intersect(suspected.all):
        return NONE
    first = waiting - suspected.last
    if not first and (in_flight or ledger.open_entries > len(waiting | held_back)):
        return NONE
    return FrozenBitMap([(first or waiting).min()])
