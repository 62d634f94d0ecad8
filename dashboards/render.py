"""Draws the committed dashboards from a real Prometheus, so that one sees them without a Grafana.

python -m dashboards.render --prometheus http://127.0.0.1:9090 --output pictures
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dashboards.drawing.picture import draw
from dashboards.prometheus import Prometheus, QueryError
from dashboards.queries import Answer, chosen, read_all
from dashboards.substitution import Window

_HOUR = 3600.0


def main(arguments: Sequence[str]) -> int:
    """Draw the pictures; the exit code is 1 when a query failed."""
    options = _parser().parse_args(arguments)
    end = options.end or time.time()
    window = Window(options.start or end - _HOUR, end, options.scrape_seconds)
    prometheus = Prometheus(options.prometheus)
    options.output.mkdir(parents=True, exist_ok=True)
    problems = 0
    for dashboard in read_all():
        if options.only and dashboard.name not in options.only:
            continue
        path = options.output / f"{dashboard.name}.png"
        try:
            found = draw(dashboard, prometheus, chosen(dashboard, prometheus, window, dict(options.var)), path)
        except QueryError as error:
            sys.stderr.write(f"{dashboard.name}: {error}\n")
            return 1
        problems += _report(path, found)
    return int(problems > 0)


def _report(path: Path, found: tuple[Answer, ...]) -> int:
    """Say what was drawn and what failed; how many failed."""
    empty = sum(1 for answer in found if not answer.series)
    sys.stdout.write(f"{path}: {len(found)} queries, {empty} without data\n")
    failed = [answer for answer in found if answer.error]
    for answer in failed:
        sys.stderr.write(f"{path.stem}, {answer.panel.title}: {answer.error}: {answer.query}\n")
    return len(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboards.render", description="Draw the dashboards into PNG files."
    )
    parser.add_argument("--prometheus", required=True, metavar="URL", help="for example http://127.0.0.1:9090")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="where the files are written")
    parser.add_argument(
        "--start", type=_moment, metavar="T", help="seconds since 1970 or an ISO time; an hour before the end"
    )
    parser.add_argument("--end", type=_moment, metavar="T", help="the same; now")
    parser.add_argument(
        "--scrape-seconds", type=float, default=15.0, metavar="S", help="how often Prometheus scrapes; 15"
    )
    parser.add_argument(
        "--var", action="append", default=[], type=_assignment, metavar="NAME=VALUE", help="choose a value"
    )
    parser.add_argument("--only", action="append", default=[], metavar="DASHBOARD", help="overview, taskgroup, …; all")
    return parser


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} has no equals sign: write NAME=VALUE.")
    return name, value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
