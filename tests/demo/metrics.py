"""Lets a Prometheus watch the demo's operator and Redis, in the foreground, until Ctrl-C. Nothing is left behind.

It is the Prometheus of the tests, with a second between two scrapes: examples take seconds.
"""

import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from support.chart_targets import operator_targets, redis_target
from support.kube import connect
from support.ports import is_free
from support.prometheus_server import SCRAPE_SECONDS, prometheus_server, write_targets
from support.space import SYSTEM

PORT = 9090
REFRESH_SECONDS = 5
QUERIES = {
    "items by state, over all groups": "sum by (state) (taskgroup_items)",
    "items that end per second, by group": "sum by (taskgroup) (rate(taskgroup_items_ended_total[10s]))",
    "failures by reason": "topk(10, sum by (reason) (taskgroup_item_failures_total))",
}


def main() -> None:
    """Run until a signal comes; follow the operator's pods when they are replaced."""
    system = connect(SYSTEM)
    with (
        tempfile.TemporaryDirectory(prefix="taskgroup-metrics-") as name,
        redis_target(system) as exporter,
        prometheus_server(Path(name), [*operator_targets(system), exporter], _port()) as prometheus,
    ):
        print(_words(prometheus.url), flush=True)
        while True:
            time.sleep(REFRESH_SECONDS)
            write_targets(Path(name), [*operator_targets(system), exporter])


def _port() -> int:
    """Prometheus' usual port; any other one when somebody has it."""
    return PORT if is_free(PORT) else 0


def _words(url: str) -> str:
    queries = "\n".join(f"  {query:<70} {meaning}" for meaning, query in QUERIES.items())
    draw = (
        f".venv/bin/python -m dashboards.render --prometheus {url} --output pictures --scrape-seconds {SCRAPE_SECONDS}"
    )
    return f"Prometheus: {url}\n\nTry there:\n{queries}\n\nThe dashboards as pictures:\n  {draw}\n\nCtrl-C ends it."


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    with suppress(KeyboardInterrupt):
        main()
    sys.stdout.write("\nmetrics: ended.\n")
