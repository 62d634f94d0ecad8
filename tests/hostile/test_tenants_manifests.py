"""Whatever one namespace's users create, another's groups start, and the operator lives in its memory."""

import base64
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from support.crd.server import TaskGroups, shared_task_groups
from support.hostile.honest import dispatched_in_time
from support.hostile.manifests import manifests
from support.kubectl import Kubectl, new_namespace
from support.task_groups import WORKERS, Bench, running_bench
from support.wait import PATIENCE, eventually
from taskgroup.cluster.children import child_name

MEMORY_BYTES = 512 * 1024 * 1024
GROUPS = "/apis/taskgroups.dev/v1alpha1/namespaces/{}/taskgroups"
HEAD = {"apiVersion": "taskgroups.dev/v1alpha1", "kind": "TaskGroup"}
ALIVE = 50
"""Hostile groups at once."""
DAMAGED = "the ledger is damaged"
EVERY = 25
"""Hostile manifests from one honest one to the next."""


class Scene:
    """A namespace of a hostile tenant and one of an honest tenant, an operator for both, and its Redis."""

    def __init__(self, bench: Bench, hostile: Kubectl, groups: TaskGroups) -> None:
        self.bench = bench
        self.hostile = hostile
        self.groups = groups
        self.pid = bench.operator.pid
        self._numbers = itertools.count()

    def attack(self, body: dict[str, Any], name: str = "") -> dict[str, Any] | None:
        """Create the hostile object; None when the API server refuses it."""
        metadata = {"name": name or f"hostile-{next(self._numbers)}"}
        path = GROUPS.format(self.hostile.namespace)
        return self.groups.ask(
            "POST", path, {**HEAD, "metadata": metadata, **body}, keep=True, validation="Ignore"
        ).stored

    def clear(self) -> None:
        """Delete the hostile objects and wait until they are gone: whatever they are, they can be deleted."""
        done = self.hostile("delete", "taskgroups", "--all", "--wait=true", f"--timeout={PATIENCE}s")
        assert done.returncode == 0, done.stderr + self.bench.operator.log[-3000:]

    def honest(self) -> None:
        """An honest group is dispatched in time."""
        dispatched_in_time(self.bench, f"honest-{next(self._numbers)}")

    def unharmed(self) -> None:
        """The operator is the same process, within its memory, and was surprised by nothing."""
        assert self.bench.operator.pid == self.pid
        assert _is_running(self.pid), self.bench.operator.log[-3000:]
        assert _most_memory(self.pid) <= MEMORY_BYTES
        assert "Traceback" not in self.bench.operator.log


def _is_running(pid: int) -> bool:
    """Whether the process has not ended; one that has is a zombie, because nobody asked for its exit code."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _most_memory(pid: int) -> int:
    """The most that was resident at once, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("bench")
    with new_namespace() as hostile, running_bench(folder) as bench:
        bench.operator.stop()
        bench.operator.settings["TASKGROUP_WATCH_NAMESPACES"] = f"{bench.kubectl.namespace},{hostile.namespace}"
        bench.operator.start()
        eventually(lambda: "This operator leads." in bench.operator.log, state=lambda: bench.operator.log[-3000:])
        url = f"--from-literal=url={bench.server.url}"
        assert hostile("create", "secret", "generic", "redis", url).returncode == 0
        yield Scene(bench, hostile, shared_task_groups())


@pytest.fixture
def scene(shared_scene: Scene) -> Iterator[Scene]:
    """The same with nothing left from the attack before."""
    shared_scene.honest()
    yield shared_scene
    shared_scene.clear()
    shared_scene.unharmed()


@pytest.mark.parametrize("count", [100, pytest.param(2_000, marks=[pytest.mark.long, pytest.mark.timeout(5_400)])])
def test_generated_manifests_delay_nobody(scene: Scene, count: int) -> None:
    """Honest groups are created while hostile ones are, and each of them is dispatched in time."""
    made, stored = 0, 0
    honest = list[Future[None]]()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(manifests())
    def create(manifest: dict[str, Any]) -> None:
        nonlocal made, stored
        made += 1
        if scene.attack(manifest) is not None:
            stored += 1
            if stored % ALIVE == 0:
                scene.clear()
        if made % EVERY == 0:
            for before in honest[-1:]:
                before.result()
            honest.append(beside.submit(scene.honest))
            scene.unharmed()

    with ThreadPoolExecutor(1) as beside:
        create()
    for each in honest:
        each.result()
    scene.honest()
    assert made >= count * 9 // 10
    assert made // 10 < stored < made, "neither all of them refused, nor none"


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"workers": WORKERS, "broker": {"secretKeyRef": {"name": "redis"}}, **fields}}


ATTACKS: dict[str, dict[str, Any]] = {
    "a large item repeated": spec(items=["A" * 900_000], template={"task": "t", "args": ["$(item)"] * 1_000}),
    "a small item repeated": spec(
        items=list(range(10_000)), template={"task": "demo.noop", "args": ["$(item)" * 1_000]}
    ),
    "many large messages": spec(
        sequence={"count": 10_000_000}, template={"task": "demo.noop", "args": ["A" * 700_000]}
    ),
    "many lists": spec(items=[[[]] * 200_000], template={"task": "demo.noop"}),
    "many tasks": spec(tasks=[{"task": f"t{number}"} for number in range(12_000)]),
    "a placeholder in many places": spec(
        items=[[0] * 300] * 1_000, template={"task": "t", "args": [f"$(item.{number})" * 30 for number in range(250)]}
    ),
    "text of digits": spec(items=["1" * 500_000] * 2, template={"task": "demo.noop"}),
}


@pytest.mark.parametrize("body", ATTACKS.values(), ids=ATTACKS)
def test_a_named_attack_delays_nobody(scene: Scene, body: dict[str, Any]) -> None:
    """Most of these killed the operator, or kept other tenants waiting for 12 s."""
    assert scene.attack(body) is not None
    assert scene.attack(body) is not None
    for _ in range(2):
        scene.honest()


def _text_bomb() -> bytes:
    head = b'{"format":1,"sizes":[' + b"[]," * 20_000_000 + b"[]]}"
    return len(head).to_bytes(4, "big") + head


BOMBS: dict[str, Callable[[], bytes]] = {
    "lists": _text_bomb,
    "nothing": lambda: b"",
    "zeros": lambda: bytes(60_000_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_ledger_of_anybody_is_made_again(scene: Scene, bomb: Callable[[], bytes]) -> None:
    """58 KB of it unpacked to 2.0 GB, and the operator was killed at each of its starts."""
    bombed = scene.attack(spec(sequence={"count": 5}, template={"task": "demo.noop"}), "bombed")
    assert bombed
    # Those of the tests before may not all be gone.
    name = f"taskgroupledger/{child_name('bombed', bombed['metadata']['uid'])}-ledger"
    eventually(lambda: scene.hostile("get", name).returncode == 0)
    snapshot = base64.b64encode(zlib.compress(bomb(), 9)).decode()
    scene.bench.operator.kill()
    patch = json.dumps({"snapshot": snapshot})
    done = scene.hostile("patch", name, "--type", "merge", "--patch", patch)
    assert done.returncode == 0, done.stderr
    said = scene.bench.operator.log.count(DAMAGED)
    scene.bench.operator.start()
    scene.pid = scene.bench.operator.pid

    # The log holds what former operators said of other ledgers, too.
    eventually(lambda: scene.bench.operator.log.count(DAMAGED) > said, state=lambda: scene.bench.operator.log[-3000:])
    scene.honest()
    eventually(
        lambda: "RecordUnreadable" in scene.hostile("get", "events").stdout,
        state=lambda: scene.bench.operator.log[-3000:],
    )
