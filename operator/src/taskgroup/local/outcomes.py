"""What each item returned, written down before the broker of a local run goes."""

from functools import partial
from pathlib import Path

from taskgroup.cli.result_lines import Shape, lines
from taskgroup.cli.results import json_line
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import unit_of
from taskgroup.results.port import Results


async def write_results(path: Path, uid: str, work: Work, ledger: Ledger, results: Results) -> None:
    """One JSON object a line, as `taskgroup results` prints them; of a chain the result of its last step."""
    with path.open("w", encoding="utf-8") as out:
        # Items that spec.before has found are in the ledger alone.
        shape = Shape(max(work.total, ledger.total), partial(_last_unit, work), work.chunks, work.chunking.flattens)
        async for line in lines(shape, results, uid, ledger, ledger.attempts):
            out.write(f"{json_line(line)}\n")


def _last_unit(work: Work, index: int) -> int:
    return unit_of(index, work.steps_of(index) - 1)
