"""The examples as the demo applies them: with the servers that they need, and with the images of the cluster."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST = ("sequence", "thumbnails", "documents", "partial-failure", "mail-campaign")
"""What is shown unless other examples are named: each another form of work, all together less than a minute."""
ALL = "all"
_WORKER_IMAGE = "localhost/taskgroup-worker:dev"
_SERVER = re.compile(r"examples/servers/([\w-]+)\.yaml")


@dataclass(frozen=True, slots=True)
class Example:
    """One file of examples/."""

    name: str
    about: str
    """The first sentence of its head."""
    servers: tuple[str, ...]
    """Names of the servers that its head says are applied with it; each has a Deployment of that name."""
    objects: list[Object]
    """The last one is the TaskGroup."""


def existing() -> list[str]:
    """Names of all examples."""
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def chosen(names: list[str]) -> list[str]:
    """The examples that these words name; ValueError with a sentence when there is no such one."""
    if names == [ALL]:
        return existing()
    unknown = sorted(set(names) - set(existing()))
    if unknown:
        raise ValueError(f"there is no example {', '.join(unknown)}; name some of: {ALL}, {', '.join(existing())}")
    return names or list(FIRST)


def example(name: str, worker_image: str | None = None) -> Example:
    """The example, whose workers run `worker_image` if there is one."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    return Example(name, _about(text), servers_of(text), _objects(text, worker_image))


def _about(text: str) -> str:
    head = itertools.takewhile(lambda line: line.startswith("# "), text.splitlines())
    sentence, *_ = re.split(r"\.(?: |$)", " ".join(line.removeprefix("# ") for line in head))
    return sentence


def servers_of(text: str) -> tuple[str, ...]:
    """Those that a manifest's head says are applied with it."""
    return tuple(_SERVER.findall(text))


def server(name: str, worker_image: str | None = None) -> list[Object]:
    """All objects of a server."""
    return _objects((EXAMPLES / f"servers/{name}.yaml").read_text(), worker_image)


def _objects(text: str, worker_image: str | None) -> list[Object]:
    """In the order of the file, without namespaces."""
    objects = list(yaml.safe_load_all(text.replace(_WORKER_IMAGE, worker_image) if worker_image else text))
    for each in objects:
        each["metadata"].pop("namespace", None)
    return objects
