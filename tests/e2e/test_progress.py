"""Progress while a group runs, as somebody who watches the object sees it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from support.groups import probe_workers
from support.space import Space

AXES: dict[str, list[Any]] = {"path": ["dawn.jpg", "fern.jpg", "night.png"], "width": [32, 64]}
RESIZE = {"task": "probe.resize", "args": ["$(item.path)", "$(item.width)"]}


def test_the_counts_of_pictures_in_several_sizes_are_seen_while_they_run(space: Space) -> None:
    """The pictures are held at a gate: one more ends when the count of those before was seen."""
    group = space.create(matrix={"axes": AXES}, template=RESIZE, workers=probe_workers())
    with watched(space, group.name) as lines:
        for shown in ("0/6 0%", "1/6 16%", "2/6 33%", "3/6 50%"):
            assert next(lines) == shown
            group.let_pass(1)
        group.open_gate()
        assert "6/6 100%" in lines

    assert group.until_finished()["succeeded"] == 6
    assert [(value["width"], value["path"][:9]) for value in group.values()] == [
        (width, f"/tmp/{path[:4]}") for path in AXES["path"] for width in AXES["width"]
    ]


@contextmanager
def watched(space: Space, name: str) -> Iterator[Iterator[str]]:
    """What kubectl shows of each version of the object that differs from the one before."""
    columns = "jsonpath={.status.progress} {.status.percent}%{'\\n'}"
    options = ["--kubeconfig", space.kube.kubeconfig, "--namespace", space.kube.namespace]
    command = ["kubectl", *options, "get", "taskgroup", name, "--watch", "--output", columns]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            lines = (line.strip() for line in process.stdout)
            yield (line for line, _ in groupby(lines) if line[:1].isdigit())
        finally:
            process.kill()
