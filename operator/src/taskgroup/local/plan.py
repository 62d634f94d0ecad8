"""`taskgroup plan`: what a file of TaskGroups would dispatch, told without a cluster."""

from enum import StrEnum
from pathlib import Path
from typing import TextIO

from taskgroup.local.checking import check
from taskgroup.local.manifests import read_manifests
from taskgroup.local.plan_text import as_json, as_text
from taskgroup.local.preview import preview


class Output(StrEnum):
    """For whom a command prints."""

    TEXT = "text"
    JSON = "json"


def print_plan(path: str, messages: int, output: Output, out: TextIO, items: Path | None = None) -> None:
    """Print the plan of each TaskGroup in the file. ManifestError with a sentence for the first that cannot be run.

    `items` is a file with what their spec.itemsFrom names.
    """
    manifests = read_manifests(path)
    plans = [preview(check(manifest, items), messages) for manifest in manifests.groups]
    if output is Output.JSON:
        print(as_json(plans, manifests.left_out), file=out)
        return
    print("\n\n".join(map(as_text, plans)), file=out)
    if manifests.left_out:
        print(f"\nLeft out, because they are no TaskGroups: {', '.join(manifests.left_out)}", file=out)
