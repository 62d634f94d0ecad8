"""Writes the chart's Grafana dashboards from dashboards/, so that they cannot drift from the metrics that there are.

Run it as `python operator/tools/generate_dashboards.py`; with `--check` it only fails when a file is stale.
"""

import sys

from generate_crds import ROOT, write_or_check

# The dashboards are no part of the operator's distribution: they are found from the root of the tree.
sys.path.insert(0, str(ROOT))

from dashboards.collection import FOLDER, rendered


def main(arguments: list[str]) -> int:
    """Writes the files, or compares them; the exit code. A file of a dashboard that is gone goes with it."""
    files = rendered()
    check = "--check" in arguments
    gone = [path for path in FOLDER.glob("*.json") if path not in files]
    for path in gone:
        print(f"{path.relative_to(ROOT)} belongs to no dashboard.", file=sys.stderr)
        if not check:
            path.unlink()
    return write_or_check(files, check=check) or int(check and bool(gone))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
