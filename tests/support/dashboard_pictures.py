"""Draws the dashboards from the data that a told story has left: python -m support.dashboard_pictures DATA PICTURES."""

import json
import sys
from pathlib import Path

from dashboards.render import main as render

from support.prometheus_server import prometheus_server

SCRAPE_SECONDS = 5
"""Rates over 20 s are calm enough to be read, and the story is short."""
SHOWN, OF_CHAINS = "catalogue", "documents"


def draw(data: Path, pictures: Path) -> int:
    """The moment is the one at which the story ends; the exit code is 1 when a query failed."""
    told = json.loads((data / "story.json").read_text())
    with prometheus_server(data) as prometheus:
        common = ["--prometheus", prometheus.url, "--output", str(pictures), "--scrape-seconds", str(SCRAPE_SECONDS)]
        common += ["--start", str(told["start"]), "--end", str(told["end"]), "--var", f"namespace={told['namespace']}"]
        all_groups = [part for name in ("overview", "workers", "operator", "redis") for part in ("--only", name)]
        one_group = ["--only", "taskgroup", "--var", f"taskgroup={SHOWN}"]
        chains = ["--only", "taskgroup", "--var", f"taskgroup={OF_CHAINS}", "--output", str(pictures / "chains")]
        return render([*common, *all_groups]) or render([*common, *one_group]) or render([*common, *chains])


if __name__ == "__main__":
    sys.exit(draw(*map(Path, sys.argv[1:3])))
