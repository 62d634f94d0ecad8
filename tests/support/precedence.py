"""The table of docs/workers.md that says who decides: each of its rows is the answer of a running worker.

`python -m support.precedence`, in tests/, writes it anew.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from celery import Celery

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.redis_server import redis_server
from support.wait import PATIENCE
from support.worker_container import UID, until_ready, worker_container, worker_pool
from taskgroup.broker.keys import PoolKeys

DOCUMENT = Path(__file__).parents[2] / "docs" / "workers.md"
BEGIN = "<!-- Begin of what tests/support/precedence.py writes. -->\n"
END = "<!-- End of what tests/support/precedence.py writes. -->\n"
QUEUE = PoolKeys("", UID).queue
VARIABLES = (
    "BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "POD_NAME",
    "REMAP_SIGTERM",
    "RESULT_BACKEND",
)
_OPTIONS = ("CELERY_WORKER_CONCURRENCY", "CELERY_WORKER_MAX_TASKS_PER_CHILD")
"""Variables that Celery's command line takes for options that it is not given."""
_NUMBER = "33"
"""What workers.env says of all of them."""
Answers = Mapping[str, Mapping[tuple[str, str], str]]
"""Version → kind and name → who decides."""


def written() -> str:
    """The table as it stands in the document."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]


def measured() -> str:
    """The table as workers of all versions tell it."""
    with redis_server() as server, tempfile.TemporaryDirectory() as folder:
        answers = {version: dict(_answers(server.url, Path(folder), version)) for version in VERSIONS}
    return "\n" + "\n".join(_table(answers)) + "\n\n"


def _answers(url: str, folder: Path, version: str) -> Iterator[tuple[tuple[str, str], str]]:
    env = [{"name": name, "value": _NUMBER} for name in VARIABLES + _OPTIONS]
    pool = worker_pool(app="support.odd_app", pool="prefork", env=env)
    with (
        worker_container(url, folder, pool, pod=f"pod-{version}", version=version) as worker,
        celery_client(url) as client,
    ):
        until_ready(worker)
        for kind, task in (("setting", "settings"), ("attribute of a task", "attributes")):
            for name, winner in _ask(client, task).items():
                yield (kind, name), winner
        for name, value in _ask(client, "variables", list(VARIABLES)).items():
            yield ("variable", name), "environment" if value == _NUMBER else "operator"
        (stats,) = client.control.inspect(timeout=PATIENCE, limit=1).stats().values()
    yield from _pool(stats["pool"])


def _ask(client: Celery, kind: str, *args: Any) -> dict[str, str]:
    answer: dict[str, str] = client.send_task(f"odd.{kind}", args=args, queue=QUEUE).get(timeout=PATIENCE)
    return answer


def _pool(pool: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """What no setting tells, because the command line has it as an option."""
    is_prefork = pool["implementation"] == "celery.concurrency.prefork:TaskPool"
    yield ("setting", "worker_pool"), "operator" if is_prefork else "app"
    yield ("setting", "worker_concurrency"), "operator" if pool["max-concurrency"] == 1 else "app"
    yield ("variable", _OPTIONS[0]), "operator" if pool["max-concurrency"] == 1 else "environment"
    yield ("variable", _OPTIONS[1]), "environment" if str(pool["max-tasks-per-child"]) == _NUMBER else "app"


def _table(answers: Answers) -> Iterator[str]:
    yield "| what | who decides | which |"
    yield "|---|---|---|"
    groups: dict[tuple[str, str], list[str]] = {}
    for kind, name in sorted({each for version in VERSIONS for each in answers[version]}):
        groups.setdefault((kind, _winner((kind, name), answers)), []).append(name)
    for (kind, winner), names in groups.items():
        yield f"| {kind} | {winner} | {', '.join(f'`{name}`' for name in names)} |"


def _winner(each: tuple[str, str], answers: Answers) -> str:
    """One word when all versions that know the name agree."""
    winners = {version: answers[version][each] for version in VERSIONS if each in answers[version]}
    same = set(winners.values())
    return same.pop() if len(same) == 1 else ", ".join(f"{winner} ({version})" for version, winner in winners.items())


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(text.replace(BEGIN + written() + END, BEGIN + measured() + END))
