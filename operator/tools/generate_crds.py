"""Writes the CustomResourceDefinitions from the resource models, so that what the API server checks cannot drift from the code.

Run it as `python operator/tools/generate_crds.py`; with `--check` it writes nothing and fails when a file is out of date.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from structural_schema import Schema, structural

from taskgroup.api import names
from taskgroup.api.taskgroup import TaskGroup

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "crds", ROOT / "charts/taskgroup-operator/files/crds")
HEADER = (
    "# Generated from operator/src/taskgroup/api by operator/tools/generate_crds.py: change the models and run it again.\n"
)

COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress", "description": "Ended of total."},
    {"name": "Succeeded", "type": "integer", "jsonPath": ".status.succeeded", "description": "Items that ended well."},
    {"name": "Failed", "type": "integer", "jsonPath": ".status.failed", "description": "Items that failed."},
    {"name": "Workers", "type": "integer", "jsonPath": ".status.workers.ready", "description": "Running workers."},
    {"name": "State", "type": "string", "jsonPath": ".status.state", "description": "Where the group stands."},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": "Time since creation."},
    {
        "name": "Active",
        "type": "integer",
        "jsonPath": ".status.active",
        "priority": 1,
        "description": "Items in the queue or running.",
    },
    {
        "name": "Pending",
        "type": "integer",
        "jsonPath": ".status.pending",
        "priority": 1,
        "description": "Items not handed to a worker queue yet.",
    },
    {
        "name": "Message",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
        "priority": 1,
        "description": "The sentence of the Ready condition.",
    },
)


def task_group() -> dict[str, Any]:
    """The CustomResourceDefinition of TaskGroup."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": ["tg"],
                "categories": ["all", names.PLURAL],
            },
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.state"}],
        "additionalPrinterColumns": list(COLUMNS),
        "schema": {"openAPIV3Schema": _resource(structural(TaskGroup))},
    }


def _resource(schema: Schema) -> Schema:
    """The schema of the model with the fields that every Kubernetes object has."""
    common = {
        "apiVersion": {"type": "string", "description": f"The version of this schema: {names.API_VERSION}."},
        "kind": {"type": "string", "description": f"The kind of this object: {names.KIND}."},
        "metadata": {"type": "object"},
    }
    return {**schema, "properties": {**common, **schema["properties"]}}


def rendered() -> dict[Path, str]:
    """Every generated file and its text."""
    text = HEADER + yaml.dump(task_group(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return {folder / f"{names.PLURAL}.yaml": text for folder in FOLDERS}


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out in full: the readers of this file do not all know YAML anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        del data
        return True


def main(arguments: list[str]) -> int:
    """Writes the files, or compares them; the exit code."""
    return write_or_check(rendered(), check="--check" in arguments)


def write_or_check(files: dict[Path, str], *, check: bool) -> int:
    """Writes each text to its file; with `check` only names the files that differ and returns 1 when there are any."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is out of date: run `python {Path(sys.argv[0])}`.", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
