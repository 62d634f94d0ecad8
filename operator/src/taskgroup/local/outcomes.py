"""What each item returned, written down before the broker of a local run goes."""

from pathlib import Path

from taskgroup.cli.results import json_line, line_of
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import task_id
from taskgroup.core.units import unit_of
from taskgroup.results.port import Results

_CHUNK = 1_000


async def write_results(path: Path, uid: str, work: Work, ledger: Ledger, results: Results) -> None:
    """One JSON object a line, as `taskgroup results` prints them; of a chain the result of its last step."""
    with path.open("w", encoding="utf-8") as out:
        for start in range(0, work.total, _CHUNK):
            indexes = range(start, min(start + _CHUNK, work.total))
            units = [unit_of(index, work.steps_of(index) - 1) for index in indexes]
            ids = [task_id(uid, unit, ledger.attempts.get(unit, 0)) for unit in units]
            for index, unit, stored in zip(indexes, units, await results.values(ids), strict=True):
                out.write(f"{json_line(line_of(index, stored, ledger, is_chain=unit != index))}\n")
