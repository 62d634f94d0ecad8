"""`taskgroup plan`: what a file of TaskGroups would dispatch, told without a cluster."""

from enum import StrEnum
from pathlib import Path
from typing import TextIO

from taskgroup.local.checking import check
from taskgroup.local.item_source import object_of
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
    groups = [check(manifest, items) for manifest in manifests.groups]
    plans = [preview(group, messages) for group in groups]
    read = {object_of(group.spec.items_from) for group in groups}
    left_out = tuple(name for name in manifests.left_out if name not in read)
    if output is Output.JSON:
        print(as_json(plans, left_out), file=out)
        return
    print("\n\n".join(map(as_text, plans)), file=out)
    if left_out:
        print(f"\nLeft out, because they are no TaskGroups: {', '.join(left_out)}", file=out)
